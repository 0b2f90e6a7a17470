import 'fake-indexeddb/auto'

// What a page has and Node does not.
Object.assign(globalThis, { location: new URL('https://server.test/app/') })

// The rounds that make a guess dear would make the tests slow; that they are asked for is a test of its own.
const derive = crypto.subtle.deriveKey.bind(crypto.subtle)
const quick: typeof derive = (algorithm, ...rest) => derive({ ...(algorithm as Pbkdf2Params), iterations: 1000 }, ...rest)
crypto.subtle.deriveKey = quick

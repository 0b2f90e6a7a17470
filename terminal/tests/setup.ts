import 'fake-indexeddb/auto'

// What a page has and Node does not.
Object.assign(globalThis, { location: new URL('https://server.test/app/') })

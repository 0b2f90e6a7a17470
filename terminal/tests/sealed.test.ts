/** What lies on the device, as someone finds it who has copied its database. */
import { Dexie } from 'dexie'
import { compactDecrypt } from 'jose'
import { beforeEach, expect, test, vi } from 'vitest'
import { draftsOf, newDraft, openDraft, saveDraft } from '@/domain/drafts'
import { db, identity } from '@/store/db'
import { hold, holder, keyOf, lock, Locked } from '@/store/lock'
import { rowOf } from '@/store/rows'
import { makeKey, open, openKey, seal, WrongSecret } from '@/store/vault'
import { b64u, utf8 } from '@/sync/bytes'
import { capture, readOperation } from '@/sync/queue'
import { pushAll } from '@/sync/push'
import { storePage } from '@/sync/pull'
import { trustOf } from '@/sync/keys'
import { readSeal, SealInvalid } from '@/sync/seal'
import { signIn, signOut } from '@/sync/session'
import { operationHash } from '@/sync/chain'
import { freshWorld, OFFICER, openJwe, strangerKey, TERMINAL, type FakeServer } from './fake'
import { SECRET, readyWorld, visit } from './world'

let server: FakeServer
beforeEach(async () => {
  server = await readyWorld()
})

/** Every value of every table, bytes as letters. */
async function everything(): Promise<string> {
  const letters = (_: string, value: unknown) => (value instanceof Uint8Array ? Buffer.from(value).toString('latin1') : value)
  const tables = await Promise.all(db.tables.map((table) => table.toArray()))
  return JSON.stringify(tables, letters)
}

async function pulled(id: string, doc: Record<string, unknown>): Promise<void> {
  const row = { id, kind: 'person', partition: 'p', version: 1, state: 'held', observed_at: '', doc } as never
  const session = (await db.read('session'))!
  await storePage(session, { epoch: 1, at: 1, more: false, partitions: [{ partition: 'p', cursor: 1, rows: [row] }], gone: [], head: '', time: '' })
}

test('the database of a locked device holds no word of operations, rows, drafts, names, tokens or secret', async () => {
  server.officer = { ...OFFICER, name: 'Ouyang Beijing' }
  server.token = 'token-of-this-session'
  server.refreshToken = 'refresh-of-this-session'
  await signIn('100007', SECRET)
  await visit({ fields: { note: 'blood on the floor' } })
  await saveDraft({ ...newDraft('round', 'cell-7'), note: 'window is broken' })
  await pulled('person-1', { name: 'Zhang San', number: 'A-20261122' })
  expect((await rowOf<{ name: string }>('person-1'))?.doc.name).toBe('Zhang San')
  const found = await everything()
  for (const word of ['blood', 'broken', 'Zhang', 'A-20261122', 'Ouyang', 'token-of', 'refresh-of', SECRET]) {
    expect(found).not.toContain(word)
    expect(found).not.toContain(b64u(utf8(word)).slice(0, -1))
  }
  lock()
  await expect(rowOf('person-1')).rejects.toBeInstanceOf(Locked)
  await expect(openDraft('round', 'cell-7')).resolves.toMatchObject({ note: '' })
  expect(await draftsOf('round')).toEqual([])
  expect(await readOperation((await db.ops.get(1))!)).toBeNull()
  await expect(visit()).rejects.toBeInstanceOf(Locked)
})

test('the queue is a compact JWE that the server, and jose, open; one ephemeral key serves until the device is locked', async () => {
  const [first, second] = [await visit(), await visit()]
  const { header, plain } = openJwe(first.jwe, server.seals.privateKey)
  expect(header).toMatchObject({ alg: 'ECDH-ES', enc: 'A256GCM', kid: first.kid })
  expect(Object.keys(header).sort()).toEqual(['alg', 'enc', 'epk', 'kid'])
  expect(Object.keys(header.epk as object).sort()).toEqual(['crv', 'kty', 'x', 'y'])
  expect(JSON.parse(plain.toString())).toMatchObject({ n: 1, terminal: TERMINAL })
  const byJose = await compactDecrypt(first.jwe, await crypto.subtle.importKey('pkcs8', server.seals.privateKey.export({ format: 'der', type: 'pkcs8' }), { name: 'ECDH', namedCurve: 'P-256' }, false, ['deriveBits']))
  expect(Buffer.from(byJose.plaintext).equals(plain)).toBe(true)
  const who = await identity()
  expect(b64u(await operationHash(who.genesis, 1, utf8(plain.toString())))).toBe(b64u(first.hash))
  expect(second.jwe.split('.')[0]).toBe(first.jwe.split('.')[0])
  expect(second.jwe.split('.')[2]).not.toBe(first.jwe.split('.')[2])
  const kept = holder()!
  lock()
  hold(kept)
  expect((await visit()).jwe.split('.')[0]).not.toBe(first.jwe.split('.')[0])
})

test('anybody, and nobody, sends the queue of all', async () => {
  await visit()
  lock()
  expect(await pushAll(await identity())).toBe(1)
  expect(server.types).toEqual(['application/vnd.roundsman.sealed-frames'])
  expect(server.operations).toHaveLength(1)
  await signOut()
})

test('a colleague who signs in later opens neither queue nor drafts of the one before, and finds his own again', async () => {
  await visit()
  await saveDraft({ ...newDraft('round', 'cell-7'), note: '窗' })
  server.officer = { id: 'b', number: '2', name: '乙', posts: [] }
  await signIn('2', 'another secret')
  const [theirs] = await db.ops.toArray()
  expect(await readOperation(theirs!)).toBeNull()
  await expect(open(keyOf('b'), `roundsman/op/${theirs!.op}`, theirs!.copy!)).rejects.toThrow()
  expect(await draftsOf('round')).toEqual([])
  server.officer = OFFICER
  await signIn('100007', SECRET)
  expect(await readOperation(theirs!)).toMatchObject({ op: theirs!.op })
  expect(await draftsOf('round')).toMatchObject([{ note: '窗' }])
})

test('bytes sealed for one place do not open in another, nor after a change', async () => {
  const key = keyOf(OFFICER.id)
  const sealed = await seal(key, 'here', utf8('word'))
  expect(Buffer.from(await open(key, 'here', sealed)).toString()).toBe('word')
  await expect(open(key, 'there', sealed)).rejects.toThrow()
  sealed[sealed.length - 1]! ^= 1
  await expect(open(key, 'here', sealed)).rejects.toThrow()
})

test('a key is wrapped by 600,000 rounds of the secret, and cannot be read out in use', async () => {
  const asked = vi.spyOn(crypto.subtle, 'deriveKey')
  const { key, wrapped } = await makeKey(SECRET)
  const again = await openKey(wrapped, SECRET)
  await expect(openKey(wrapped, `${SECRET} `)).rejects.toBeInstanceOf(WrongSecret)
  for (const [how] of asked.mock.calls) expect(how).toMatchObject({ name: 'PBKDF2', hash: 'SHA-256', salt: wrapped.salt, iterations: 600_000 })
  expect(asked).toHaveBeenCalledTimes(3)
  expect([key.extractable, again.extractable]).toEqual([false, false])
  expect((await makeKey(SECRET)).wrapped.salt).not.toEqual(wrapped.salt)
})

test('a seal key that is not signed by the server, of another facility, or under a false name is refused', async () => {
  const who = await trustOf(await identity())
  const good = server.seal()
  expect((await readSeal(who, good)).kid).toBe((await db.read('sealKey'))?.kid)
  await expect(readSeal({ ...who, facility: 'OTHER' }, good)).rejects.toBeInstanceOf(SealInvalid)
  await expect(readSeal(who, server.head())).rejects.toBeInstanceOf(SealInvalid)
  server.headKey = strangerKey()
  await expect(readSeal(who, server.seal())).rejects.toBeInstanceOf(SealInvalid)
  await expect(signIn('100007', SECRET)).rejects.toBeInstanceOf(SealInvalid)
})

test('what is sealed to a key that the server has lost waits, and is sealed anew at the next sign-in', async () => {
  await visit()
  const before = (await db.ops.get(1))!
  server.opens.clear()
  server.seals = (await freshKeys()).seals
  await expect(pushAll(await identity())).rejects.toMatchObject({ code: 'seal.unknown' })
  expect((await db.ops.get(1))?.status).toBe('waiting')
  await signIn('100007', SECRET)
  await pushAll(await identity())
  const after = (await db.ops.get(1))!
  expect([after.status, b64u(after.hash)]).toEqual(['applied', b64u(before.hash)])
  expect(after.kid).not.toBe(before.kid)
  expect(await readOperation(after)).toMatchObject({ n: 1 })
})

async function freshKeys(): Promise<FakeServer> {
  const { FakeServer } = await import('./fake')
  return new FakeServer()
}

test('a seal that is broken stays behind, and the rest goes around it', async () => {
  for (let i = 0; i < 3; i += 1) await visit()
  const second = (await db.ops.get(2))!
  const parts = second.jwe.split('.')
  await db.ops.update(2, { jwe: [...parts.slice(0, 4), b64u(new Uint8Array(16))].join('.') })
  const answer = (n: number, op: string) => ({
    status: 200,
    body: { terminal: '', incarnation: 1, epoch: 1, next: 2, missing: [], head: server.head(), time: '', outcomes: [{ n, op, status: 'applied' }] },
  })
  const [first, , third] = await db.ops.toArray()
  server.script = [{ status: 422, body: { code: 'seal.broken', detail: { n: 2 } } }, answer(1, first!.op), answer(3, third!.op)]
  await expect(pushAll(await identity())).rejects.toMatchObject({ code: 'seal.broken' })
  expect((await db.ops.toArray()).map(({ status }) => status)).toEqual(['applied', 'waiting', 'applied'])
  // Sealed anew from the copy when its officer comes.
  await signIn('100007', SECRET)
  expect(JSON.parse(server.opened((await db.ops.get(2))!.jwe).toString())).toMatchObject({ n: 2 })
})

test('a queue that an earlier version kept in the clear is sealed at the next sign-in, and sent', async () => {
  await visit()
  await visit()
  const plain = await Promise.all((await db.ops.toArray()).map(async (op) => ({ op, bytes: server.opened(op.jwe) })))
  const [who, chain, head] = [await identity(), await db.read('chain'), await db.read('head')]
  await db.delete()
  const old = new Dexie('roundsman')
  old.version(1).stores({
    kv: 'key', ops: 'n, &op, status, record, round, [officer+kind+n], [officer+n]',
    rows: 'id, partition, kind, [kind+observed_at], doc.round', cursors: 'partition', drafts: 'key, round',
  })
  await old.open()
  await old.table('kv').bulkPut(Object.entries({ identity: who, chain, head, session: { token: 't' } }).map(([key, value]) => ({ key, value })))
  await old.table('rows').put({ id: 'r', partition: 'p', kind: 'place', observed_at: '', doc: { name: '名' } })
  for (const [i, { op, bytes }] of plain.entries()) {
    const { jwe, kid, copy, ...rest } = op
    void [jwe, kid, copy]
    await old.table('ops').put({ ...rest, officer: i === 0 ? rest.officer : 'another', bytes: new Uint8Array(bytes) })
  }
  old.close()
  await db.open()
  expect(await db.rows.count()).toBe(0)
  expect(await db.read('session')).toBeUndefined()
  expect(await pushAll(await identity())).toBe(0)
  await signIn('100007', SECRET)
  expect((await db.ops.toArray()).map(({ bytes, copy }) => [bytes, copy === null])).toEqual([[undefined, false], [undefined, true]])
  expect(await pushAll(await identity())).toBe(2)
  expect(server.operations.map(({ n }) => n)).toEqual([1, 2])
})

test('nothing is captured before the server has said to which key', async () => {
  await freshWorld()
  await expect(capture({ kind: 'k', verb: 'v', record: 'r', base: 0, after: [], round: 'r', observedAt: '', fields: {} })).rejects.toThrow()
})

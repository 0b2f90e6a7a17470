import { db, type Elapsed, type Session, type Vault } from './db'
import { hold } from './lock'
import { makeKey, openKey, rewrap, WrongSecret, type Wrapped } from './vault'

/** Why the device stays locked. `hours`: the server has to be asked again. `gone`: the key was destroyed. */
export class StaysLocked extends Error {
  constructor(readonly why: 'wrong' | 'hours' | 'gone', readonly left = 0) {
    super(why)
  }
}

const HOUR = 3_600_000

/** A device whose clock is set back gains nothing: each of the three only grows. */
export function elapsedMs({ wall, server, run }: Elapsed): number {
  return Math.max(wall.high - wall.from, server.high - server.from, run)
}

/** `run`: milliseconds that the app has run since this was last called. `server`: a time that the server has signed. */
export async function noteTime(run: number, server?: string): Promise<void> {
  await db.transaction('rw', db.kv, async () => {
    const held = await db.read('elapsed')
    if (!held) return
    const said = server ? Date.parse(server) : Number.NaN
    await db.write('elapsed', {
      wall: { ...held.wall, high: Math.max(held.wall.high, Date.now()) },
      server: { ...held.server, high: Math.max(held.server.high, said || 0) },
      run: held.run + run,
    })
  })
}

/** The key, and the one of the two wrappings that the secret has opened; null when it opens neither. */
async function tryVault(vault: Vault, secret: string): Promise<{ key: CryptoKey; wrapped: Wrapped } | null> {
  for (const wrapped of [vault.wrapped, vault.next]) {
    const key = wrapped && (await openKey(wrapped, secret).catch(unlessWrong))
    if (key) return { key, wrapped }
  }
  return null
}

function unlessWrong(error: unknown): null {
  if (error instanceof WrongSecret) return null
  throw error
}

/**
 * The key under which the officer's things lie here: the one there is when the secret opens it, else a fresh one; `lost`
 * when there was one that it does not open.
 */
export async function vaultFor(officer: string, secret: string, tries: number): Promise<{ key: CryptoKey; vault: Vault; lost: boolean }> {
  const held = await db.vaults.get(officer)
  const opened = held && (await tryVault(held, secret))
  // The server has just taken this secret, so it is the one that counts from now on.
  if (opened) return { key: opened.key, vault: { officer, wrapped: opened.wrapped, next: null, left: tries }, lost: false }
  const { key, wrapped } = await makeKey(secret)
  return { key, vault: { officer, wrapped, next: null, left: tries }, lost: held !== undefined }
}

/** All that an officer's key may have sealed. */
export const SEALED = [db.kv, db.rows, db.cursors, db.drafts, db.vaults, db.ops]

/** Takes away what a key had sealed that nothing opens any longer; what is sealed to the server stays and is sent. */
export async function disown(officer: string): Promise<void> {
  await db.vaults.delete(officer)
  await Promise.all([db.rows.clear(), db.cursors.clear(), db.drafts.where('officer').equals(officer).delete()])
  await db.ops.where('[officer+n]').between([officer, 0], [officer, Infinity]).modify({ copy: null })
}

async function destroy({ officer, number }: Session): Promise<void> {
  await db.transaction('rw', SEALED, async () => {
    await disown(officer)
    await db.write('destroyed', number)
    await db.kv.bulkDelete(['session', 'pass', 'elapsed'])
  })
}

/** One try fewer, on the disk before the secret is tried: pulling the battery gives none back. */
async function spend(session: Session): Promise<Vault> {
  const vault = await db.transaction('rw', db.vaults, async () => {
    const held = await db.vaults.get(session.officer)
    if (!held || held.left < 1) return null
    const spent = { ...held, left: held.left - 1 }
    await db.vaults.put(spent)
    return spent
  })
  if (vault) return vault
  await destroy(session)
  throw new StaysLocked('gone')
}

/** Opens the device for the officer who is signed in, with or without a network. */
export async function unlock(secret: string): Promise<void> {
  const session = await db.read('session')
  if (!session) throw new StaysLocked('gone')
  await noteTime(0)
  const elapsed = await db.read('elapsed')
  if (!elapsed || elapsedMs(elapsed) >= session.unlock.hours * HOUR) throw new StaysLocked('hours')
  const { key } = await tried(session, secret)
  hold({ officer: session.officer, key })
}

/** One try at the vault; what the secret opens of it, or StaysLocked. */
async function tried(session: Session, secret: string): Promise<{ key: CryptoKey; wrapped: Wrapped }> {
  const vault = await spend(session)
  const opened = await tryVault(vault, secret)
  if (opened) {
    await db.vaults.update(session.officer, { left: session.unlock.tries })
    return opened
  }
  if (vault.left > 0) throw new StaysLocked('wrong', vault.left)
  await destroy(session)
  throw new StaysLocked('gone')
}

/** Puts the key under the secret to come too, before the server is asked: whichever it takes, it opens the device. */
export async function prepareSecret(session: Session, old: string, secret: string): Promise<void> {
  const { wrapped } = await tried(session, old)
  await db.vaults.update(session.officer, { wrapped, next: await rewrap(wrapped, old, secret) })
}

export async function settleSecret(officer: string, changed: boolean): Promise<void> {
  await db.transaction('rw', db.vaults, async () => {
    const vault = await db.vaults.get(officer)
    if (vault?.next) await db.vaults.put({ ...vault, wrapped: changed ? vault.next : vault.wrapped, next: null })
  })
}

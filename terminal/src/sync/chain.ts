import { concat, sha256, utf8, type Bytes } from './bytes'

export interface Incarnation {
  facility: string
  terminal: string
  incarnation: number
}

/** The hash before operation 1 (protocol, section 2). */
export function genesisHash(who: Incarnation, thumbprint: string): Promise<Bytes> {
  const lines = ['roundsman/genesis/1', who.facility, who.terminal, String(who.incarnation), thumbprint]
  return sha256(utf8(lines.map((line) => `${line}\n`).join('')))
}

/** hash(n): binds the operation's bytes to its number and to all before it (protocol, section 5). */
export function operationHash(prior: Bytes, n: number, operation: Bytes): Promise<Bytes> {
  const number = new Uint8Array(8)
  new DataView(number.buffer).setBigUint64(0, BigInt(n))
  return sha256(concat([utf8('roundsman/op/1\n'), prior, number, operation]))
}

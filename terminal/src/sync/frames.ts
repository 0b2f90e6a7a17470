import { b64u, concat, utf8, type Bytes } from './bytes'

export interface Framed {
  n: number
  hash: Bytes
  bytes: Bytes
}

/** What the server takes in one push (protocol, section 6). */
export const MAX_OPERATION_BYTES = 64 * 1024

const LF = utf8('\n')

function frameHead(operation: Framed): Bytes {
  return utf8(`${operation.n} ${b64u(operation.hash)} ${operation.bytes.length}\n`)
}

export function frameLength(operation: Framed): number {
  return frameHead(operation).length + operation.bytes.length + LF.length
}

/** Number, hash, length, LF, the bytes as they were captured, LF. */
export function frames(operations: Framed[]): Bytes {
  return concat(operations.flatMap((operation) => [frameHead(operation), operation.bytes, LF]))
}

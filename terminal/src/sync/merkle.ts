import { concat, sha256, type Bytes } from './bytes'

const NODE = Uint8Array.of(1)

function node(left: Bytes, right: Bytes): Promise<Bytes> {
  return sha256(concat([NODE, left, right]))
}

function same(a: Bytes, b: Bytes): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i])
}

const odd = (n: number) => n % 2 === 1
const half = (n: number) => Math.floor(n / 2)

interface Tree {
  size: number
  root: Bytes
}

/** Whether the proof shows that the smaller tree is the beginning of the larger one: RFC 9162 §2.1.4.2. */
export async function isBeginning(smaller: Tree, larger: Tree, proof: Bytes[]): Promise<boolean> {
  if (smaller.size === larger.size) return proof.length === 0 && same(smaller.root, larger.root)
  if (smaller.size < 1 || smaller.size > larger.size || proof.length === 0) return false
  let [fn, sn] = [smaller.size - 1, larger.size - 1]
  while (odd(fn)) [fn, sn] = [half(fn), half(sn)]
  // A whole subtree is not in the proof, since its root is known. With bits of `fn` left, it is not whole.
  const path = fn === 0 ? [smaller.root, ...proof] : proof
  let [fr, sr] = [path[0]!, path[0]!]
  for (const other of path.slice(1)) {
    if (sn === 0) return false
    if (odd(fn) || fn === sn) {
      ;[fr, sr] = [await node(other, fr), await node(other, sr)]
      while (!odd(fn) && fn !== 0) [fn, sn] = [half(fn), half(sn)]
    } else {
      sr = await node(sr, other)
    }
    ;[fn, sn] = [half(fn), half(sn)]
  }
  return sn === 0 && same(fr, smaller.root) && same(sr, larger.root)
}

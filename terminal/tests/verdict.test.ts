import { expect, test } from 'vitest'
import { compareHeads, HeadInvalid } from '@/sync/head'
import { NoAnswer, Problem } from '@/sync/http'
import { backoff, judge } from '@/sync/verdict'

const half = () => 0.5
const problem = (status: number, code: string, retry: number | null = null) => new Problem(status, code, '中', 'en', null, {}, retry)

test('the wait doubles to a minute and is spread', () => {
  expect([1, 2, 3, 10, 99].map((failures) => backoff(failures, half))).toEqual([2000, 4000, 8000, 60_000, 60_000])
  expect(backoff(1, () => 0)).toBe(1500)
  expect(backoff(1, () => 1)).toBe(2500)
})

test.each([
  [new NoAnswer(''), 'unreachable', false],
  [problem(500, 'server.fault'), 'unreachable', false],
  [problem(503, 'server.busy', 7), 'busy', true],
  [problem(429, 'http.429'), 'busy', true],
  [problem(409, 'chain.fork'), 'stopped', false],
  [problem(403, 'terminal.revoked'), 'stopped', false],
  [problem(401, 'proof.invalid'), 'refused', false],
  [new HeadInvalid(''), 'refused', false],
  [new Error('QuotaExceededError'), 'refused', false],
])('%s means %s', (error, state, ordered) => {
  expect(judge(error, 1, half)).toMatchObject({ state, ordered })
})

test('Retry-After is kept to the full', () => {
  expect(judge(problem(503, 'server.busy', 7), 1, () => 0).wait).toBe(7000)
})

test('a log only grows within its epoch', () => {
  const head = (epoch: number, size: number, root = 'r') => ({ epoch, size, root, at: '' })
  expect(compareHeads(undefined, head(1, 1))).toBeNull()
  expect(compareHeads(head(1, 5), head(1, 6, 'x'))).toBeNull()
  expect(compareHeads(head(1, 5), head(2, 3))).toBeNull()
  expect(compareHeads(head(1, 5), head(1, 5))).toBeNull()
  expect(compareHeads(head(1, 5), head(1, 4))?.code).toBe('shorter')
  expect(compareHeads(head(1, 5), head(1, 5, 'x'))?.code).toBe('differs')
})

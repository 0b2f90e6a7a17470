import { expect, test } from 'vitest'
import { HeadInvalid } from '@/sync/head'
import { NoAnswer, Problem } from '@/sync/http'
import { SealInvalid } from '@/sync/seal'
import { backoff, judge } from '@/sync/verdict'
import { compare, LogBroken } from '@/sync/witness'

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
  [problem(403, 'terminal.pending'), 'pending', false],
  [problem(403, 'terminal.refused'), 'stopped', false],
  [new HeadInvalid(''), 'refused', false],
  [new SealInvalid(''), 'refused', false],
  [new LogBroken({ code: 'proof' } as never), 'stopped', false],
  [new Error('QuotaExceededError'), 'refused', false],
])('%s means %s', (error, state, ordered) => {
  expect(judge(error, 1, half)).toMatchObject({ state, ordered })
})

test('Retry-After is kept to the full', () => {
  expect(judge(problem(503, 'server.busy', 7), 1, () => 0).wait).toBe(7000)
})

test('one head beside another', () => {
  const head = (epoch: number, size: number, root = 'r') => ({ epoch, size, root, at: '', token: '' })
  expect(compare(head(1, 5), head(1, 6, 'x'))).toBe('newer')
  expect(compare(head(1, 5), head(2, 3))).toBe('later epoch')
  expect(compare(head(2, 3), head(1, 5))).toBe('earlier epoch')
  expect(compare(head(1, 5), head(1, 5))).toBe('same')
  expect(compare(head(1, 5), head(1, 4))).toBe('smaller')
  expect(compare(head(1, 5), head(1, 5, 'x'))).toBe('differs')
})

import { setTimeout as wait } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { startDeadline } from './deadline.js'

test('fires after its time, and not when it was stopped', async () => {
  let fired = 0
  startDeadline(20, () => {
    fired += 1
  })
  startDeadline(20, () => {
    fired += 10
  })()
  await wait(60)
  expect(fired).toBe(1)
})

test('a process that stood still gets that time back', async () => {
  const expired = new Promise<void>((resolve) => startDeadline(10, resolve))
  const until = performance.now() + 310
  while (performance.now() < until);
  const woken = performance.now()
  await expired
  expect(performance.now() - woken).toBeGreaterThanOrEqual(290)
})

test('a process that stood still may look at its sockets first', async () => {
  let fired = false
  const stop = startDeadline(10, () => {
    fired = true
  })
  const until = performance.now() + 700
  while (performance.now() < until);
  await wait(50)
  expect(fired).toBe(false)
  stop()
  await wait(2_100)
  expect(fired).toBe(false)
})

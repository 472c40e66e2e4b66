import { describe, expect, test } from 'vitest'
import type { EndSignal } from '../domain/forwarding.js'
import { Ending, throwIfEnded, unlessEnded } from './ending.js'

describe.each([
  ['an Ending', () => new Ending()],
  [
    'an AbortController',
    () => {
      const controller = new AbortController()
      return { signal: controller.signal, abort: (reason?: unknown) => controller.abort(reason) }
    },
  ],
] as const)('%s', (_name, make) => {
  function made(): { signal: EndSignal; abort: (reason?: unknown) => void } {
    const one = make()
    return { signal: one instanceof Ending ? one : one.signal, abort: (reason) => one.abort(reason) }
  }

  test('tells its listeners once, and those that are still there', () => {
    const { signal, abort } = made()
    const heard: string[] = []
    const gone = (): number => heard.push('gone')
    signal.addEventListener('abort', () => heard.push('a'), { once: true })
    signal.addEventListener('abort', gone)
    signal.addEventListener('abort', () => heard.push('b'))
    signal.removeEventListener('abort', gone)
    expect(() => throwIfEnded(signal)).not.toThrow()
    const reason = new Error('enough')
    abort(reason)
    abort(new Error('again'))
    signal.addEventListener('abort', () => heard.push('late'))
    expect(heard).toEqual(['a', 'b'])
    expect([signal.aborted, signal.reason]).toEqual([true, reason])
    expect(() => throwIfEnded(signal)).toThrow(reason)
  })

  test('has a reason of its own', () => {
    const { signal, abort } = made()
    abort()
    expect(signal.reason).toMatchObject({ name: 'AbortError' })
  })

  test('ends a wait, before it begins, during it, and not after it', async () => {
    const before = made()
    before.abort(new Error('before'))
    await expect(unlessEnded(new Promise(() => {}), before.signal)).rejects.toThrow('before')
    const during = made()
    const wait = unlessEnded(new Promise(() => {}), during.signal)
    during.abort(new Error('during'))
    await expect(wait).rejects.toThrow('during')
    const after = made()
    expect(await unlessEnded(Promise.resolve(1), after.signal)).toBe(1)
    after.abort()
    await expect(unlessEnded(Promise.reject(new Error('its own')), made().signal)).rejects.toThrow('its own')
    expect(await unlessEnded(Promise.resolve(2), undefined)).toBe(2)
  })
})

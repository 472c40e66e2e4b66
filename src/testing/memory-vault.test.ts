import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isKeymuxError } from '../domain/errors.js'
import { createMemoryVault } from './memory-vault.js'

const withCode = (code: Parameters<typeof isKeymuxError>[1]): unknown =>
  expect.toSatisfy((error: unknown) => isKeymuxError(error, code))

describe('createMemoryVault', () => {
  it('keeps named secrets', async () => {
    const vault = createMemoryVault({ B: 'b' })
    await vault.set('A', 'a')
    expect(await vault.get('A')).toBe('a')
    expect(await vault.get('B')).toBe('b')
    expect(await vault.has('C')).toBe(false)
    expect(vault.names()).toEqual(['A', 'B'])
    await vault.delete('A')
    await vault.delete('A')
    await expect(vault.get('A')).rejects.toEqual(withCode('secret_not_found'))
  })

  it('gives nothing away while it is locked, and keeps it', async () => {
    const vault = createMemoryVault({ A: 'a' })
    expect(vault.isUnlocked()).toBe(true)
    vault.lock()
    expect(vault.isUnlocked()).toBe(false)
    for (const call of [vault.get('A'), vault.set('A', 'x'), vault.has('A'), vault.delete('A')]) {
      await expect(call).rejects.toEqual(withCode('vault_locked'))
    }
    vault.unlock()
    expect(await vault.get('A')).toBe('a')
  })

  it('obeys an aborted signal', async () => {
    const reason = new Error('enough')
    await expect(createMemoryVault({ A: 'a' }).get('A', { signal: AbortSignal.abort(reason) })).rejects.toBe(
      reason,
    )
  })

  it('takes any name and value', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), async (name, value) => {
        const vault = createMemoryVault()
        await vault.set(name, value)
        expect(await vault.get(name)).toBe(value)
        expect(vault.names()).toEqual([name])
      }),
      {
        examples: [
          ['__proto__', 'x'],
          ['constructor', ''],
        ],
      },
    )
  })
})

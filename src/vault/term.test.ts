import { describe, expect, test } from 'vitest'
import { openTestHandle } from '../../test/support/handle.js'
import { createMemoryStore } from '../storage/memory/index.js'
import { createFakeClock } from '../testing/fake-clock.js'

const clock = createFakeClock()

describe('the number of the term', () => {
  const TERMS = [0, 2, 3, 2 ** 32, 2 ** 53 - 2]

  test.each(TERMS)('%d: check and audit name it, a record puts it right', async (term) => {
    const memory = createMemoryStore()
    const owner = await openTestHandle({ store: memory.connect(), clock })
    await owner.profiles.add({ provider: 'openai', name: 'a', secret: 'sk-a' })
    await memory.connect().write((tx) => tx.setTerm(term))
    expect((await owner.vault.check()).map(({ code }) => code)).toEqual(['state_term'])
    expect((await owner.vault.verifyAudit()).map(({ code }) => code)).toEqual(['state_term'])
    await owner.vault.set('NAMED', 'value')
    expect(await owner.vault.check()).toEqual([])
    expect((await owner.vault.audit()).map(({ event }) => event)).toContain('term_mended')
  })

  test.each(TERMS)('%d: an outcome is not lost by it', async (term) => {
    const memory = createMemoryStore()
    const owner = await openTestHandle({ store: memory.connect(), clock })
    await owner.profiles.add({ provider: 'openai', name: 'a', secret: 'sk-a' })
    await memory.connect().write((tx) => tx.setTerm(term))
    await owner.profiles.markFailure('openai:a', 'format')
    const other = await openTestHandle({ store: memory.connect(), clock })
    expect((await other.profiles.views())[0]?.errorCount).toBe(1)
    expect(await other.vault.check()).toEqual([])
  })
})

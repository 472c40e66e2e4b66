import { expect, test } from 'vitest'
import { getProfileApiKey } from '../domain/profile.js'
import { createReferenceReader } from './references.js'

const LINE = 'exec://vault-cli read --token MarkerInTheLine'

test.each<[string, (() => Promise<string>) | undefined]>([
  ['gives nothing', async () => ''],
  ['fails', () => Promise.reject(new Error('exit 1'))],
  ['may not run', undefined],
])('a command that %s is not named in the error', async (_what, run) => {
  const read = createReferenceReader({
    vault: { get: () => Promise.reject(new Error('there is no vault')) },
    env: {},
    readFile: () => Promise.reject(new Error('there are no files')),
    run,
  })
  const error: unknown = await read(LINE).catch((thrown: unknown) => thrown)
  expect(String(error)).toContain('exec://')
  expect(String(error)).not.toContain('MarkerInTheLine')
})

test('nor in that of a profile without a vault of keymux', async () => {
  const now = new Date()
  const profile = {
    id: 'openai:a',
    provider: 'openai',
    name: 'a',
    mode: 'api_key',
    priority: 0,
    enabled: true,
    createdAt: now,
    updatedAt: now,
    apiKey: { keyRef: LINE },
  } as const
  await expect(getProfileApiKey(profile, () => undefined)).rejects.toMatchObject({
    message: 'openai:a refers to exec://…, which holds nothing',
  })
})

import { expect, test } from 'vitest'
import { parseCustomProvider } from './custom.js'
import { realtimeOf } from './realtime.js'
import { builtinProviders } from './registry.js'

const custom = (family: string): ReturnType<typeof parseCustomProvider> =>
  parseCustomProvider('corp', { base_url: 'https://corp.example', family })

test.each([
  ['openai', '/v1/realtime', true],
  ['openai', '/realtime', true],
  ['openai', '/v1/realtime/translations', true],
  ['openai', '/v1/realtime/calls', false],
  ['openai', '/v1/realtimes', false],
  ['openai', '/v1/responses', false],
  ['xai', '/v1/realtime', true],
  ['groq', '/openai/v1/realtime', false],
  ['anthropic', '/v1/realtime', false],
  ['gemini', '/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent', true],
  ['gemini', '/ws/google.ai.generativelanguage.v1alpha.GenerativeService.BidiGenerateMusic', true],
  [
    'gemini',
    '/ws/google.ai.generativelanguage.v1alpha.GenerativeService.BidiGenerateContentConstrained',
    false,
  ],
  ['gemini', '/v1/realtime', false],
  ['azure-openai', '/openai/v1/realtime', true],
  ['azure-openai', '/openai/realtime', true],
  ['moonshot', '/v1/realtime', false],
])('%s %s: %s', (provider, path, expected) => {
  expect(realtimeOf(builtinProviders[provider], path) !== undefined).toBe(expected)
})

test('a custom provider may say that it has none', () => {
  const declared = { base_url: 'https://corp.example', realtime: false }
  expect(realtimeOf(parseCustomProvider('corp', declared), '/v1/realtime')).toBeUndefined()
})

test('custom providers have the sessions of their family, those of Azure among them', () => {
  for (const path of ['/realtime', '/v1/realtime', '/openai/realtime', '/openai/v1/realtime'])
    expect(realtimeOf(custom('openai'), path)?.model).toEqual(['model', 'deployment'])
  expect(realtimeOf(custom('anthropic'), '/v1/realtime')).toBeUndefined()
  expect(realtimeOf(undefined, '/v1/realtime')).toBeUndefined()
})

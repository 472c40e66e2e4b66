import { describe, expect, it } from 'vitest'
import { parseDotenv } from '../interchange/dotenv.js'
import { parseEnvironment } from '../interchange/env.js'
import { CATALOGUE } from '../providers/catalogue.js'
import { defaultRegistry } from '../providers/registry.js'
import { providerEnv } from '../providers/request.js'
import { addressesOf, meaningsOf } from './import-variables.js'

const meanings = meaningsOf(defaultRegistry)
const addresses = addressesOf(defaultRegistry)
const withVariable = CATALOGUE.filter(({ envKey }) => envKey !== undefined)

describe.each(withVariable.map((provider) => [provider.name, provider] as const))('%s', (name, provider) => {
  const secret = `example-key-of-${name}`

  it('comes back from the variables that it is handed out in', () => {
    const { drafts } = parseEnvironment(providerEnv(provider, 'api_key', secret), meanings, 'x', addresses)
    expect(drafts).toEqual([{ provider: name, name: 'x', mode: 'api_key', secret, source: 'env' }])
  })

  it.runIf(provider.baseUrlEnv !== undefined)('with its base URL', () => {
    const baseUrl = 'https://relay.example/base'
    const variables = Object.entries(providerEnv(provider, 'api_key', secret, baseUrl))
    const file = variables.map(([variable, value]) => `export ${variable}='${value}'`).join('\n')
    expect(parseDotenv(file, meanings, 'x', addresses).drafts).toEqual([
      { provider: name, name: 'x', mode: 'api_key', secret, baseUrl, source: 'dotenv' },
    ])
  })

  it('is known by each of its names, with the base URL of each of its variables', () => {
    const keys = [provider.envKey, ...(provider.envAliases ?? []), ...(provider.directEnvKeys ?? [])]
    for (const key of keys) {
      const { drafts } = parseEnvironment({ [key ?? '']: secret }, meanings, 'x', addresses)
      expect(drafts.map((draft) => draft.provider)).toEqual([name])
    }
    for (const address of [provider.baseUrlEnv, ...(provider.baseUrlAliases ?? [])]) {
      if (address === undefined) continue
      const variables = { [provider.envKey ?? '']: secret, [address]: 'https://relay.example' }
      const [draft] = parseEnvironment(variables, meanings, 'x', addresses).drafts
      expect(draft?.baseUrl).toBe('https://relay.example')
    }
  })
})

it.each(['GOOGLE_GENERATIVE_AI_API_KEY', 'GEMINI_API_KEY', 'GOOGLE_API_KEY'])(
  '%s is a key of Gemini',
  (key) => {
    expect(meanings.get(key)).toEqual({ provider: 'gemini', mode: 'api_key' })
  },
)

it.each([
  ['OPENAI_API_BASE', 'openai'],
  ['QWEN_BASE_URL', 'qwen'],
  ['DASHSCOPE_BASE_URL', 'qwen'],
  ['OPENROUTER_BASE_URL', 'openrouter'],
  ['MISTRAL_BASE_URL', 'mistral'],
  ['XAI_BASE_URL', 'xai'],
  ['DEEPSEEK_BASE_URL', 'deepseek'],
])('%s is the address of %s', (variable, provider) => {
  expect(addresses.get(variable)?.provider).toBe(provider)
})

import { existsSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { NO_KEY } from '../domain/profile.js'
import { FAILURE_FAMILIES, type ProviderMetadata } from '../domain/provider.js'
import { FAMILIES } from '../policy/classify-families.js'
import { apiPath, compatiblePath } from './api-paths.js'
import { CATALOGUE } from './catalogue.js'
import { readProvider } from './declaration.js'
import { KEY_HEADERS } from './key-headers.js'
import { authHeaders, checkRequest, credentialHeader } from './request.js'

const original: Record<string, unknown> = JSON.parse(
  readFileSync(new URL('../../test/vectors/builtin-providers.json', import.meta.url), 'utf8'),
)

/** The fields that the original has, in its spelling. */
function asOriginal(provider: ProviderMetadata): Record<string, unknown> {
  const { authUrl, tokenUrl, scopes } = provider.oauthEndpoint ?? {}
  const fields = {
    name: provider.name,
    label: provider.label,
    description: provider.description,
    modes: provider.modes,
    env_key: provider.envKey,
    website: provider.website,
    scopes: provider.scopes,
    oauth_endpoint: { auth_url: authUrl, token_url: tokenUrl, scopes },
    parent_provider: provider.parentProvider,
  }
  return JSON.parse(JSON.stringify(fields))
}

const all = CATALOGUE.map((provider) => [provider.name, provider] as const)

describe('the catalogue', () => {
  it.each(Object.entries(original))('%s is the original’s', (name, fields) => {
    const provider = CATALOGUE.find((one) => one.name === name)
    expect(provider && asOriginal(provider)).toEqual(fields)
  })

  it.each(all)('%s is sound', (name, provider) => {
    const { name: _name, ...fields } = provider
    expect(readProvider(name, fields, 'camel')).toEqual(provider)
    const { baseUrl, baseUrlExample, keyless } = provider
    if (baseUrlExample !== undefined) {
      expect(baseUrl).toBeUndefined()
      expect(new URL(baseUrlExample).protocol).toBe('https:')
    } else if (keyless === true) expect(baseUrl).toMatch(/^http:\/\/127\.0\.0\.1:\d+(?:\/.*[^/])?$/)
    else expect(baseUrl).toMatch(/^https:\/\/.*[^/]$/)
    expect(provider.family).toBeDefined()
    expect(provider.auth).toBeDefined()
  })

  it.each(all)('%s names its page, its way of failing, and whether it has sessions', (_name, provider) => {
    expect(provider.docs).toMatch(/^https:\/\//)
    expect(provider.failureFamily).toBeDefined()
    expect(provider.realtime).toBeDefined()
  })

  it.each(all)('%s tells failures as the rules have it that know its name', (name, provider) => {
    const named = FAMILIES.filter(({ providers }) => providers.includes(name))
    for (const family of named) expect(provider.failureFamily).toBe(family.name)
  })

  it('can name every family of rules', () => {
    expect(FAILURE_FAMILIES).toEqual(expect.arrayContaining(FAMILIES.map(({ name }) => name)))
  })

  it.each(all)('%s stands in a file of its own', (name) => {
    expect(existsSync(new URL(`${name}.ts`, import.meta.url))).toBe(true)
  })

  it.each(all)('%s sends a key in one header, and a token as a bearer token', (_name, provider) => {
    const { header, prefix } = credentialHeader(provider, 'api_key')
    expect(authHeaders(provider, 'api_key', 'KEY')).toEqual({
      [header]: prefix === undefined ? 'KEY' : `${prefix} KEY`,
    })
    expect(header).toBe(header.toLowerCase())
    expect(authHeaders(provider, 'token', 'TOKEN')).toEqual({ authorization: 'Bearer TOKEN' })
    // Clients of a provider show the gateway's token where they would put a key.
    expect(KEY_HEADERS).toContain(header)
  })

  it.each(all)('%s sends none where it needs none', (_name, provider) => {
    const sent = Object.keys(authHeaders(provider, 'api_key', NO_KEY))
    expect(sent).toHaveLength(provider.keyless === true ? 0 : 1)
  })

  it.each(all)('%s is asked for its check below its base URL, and never elsewhere', (_name, provider) => {
    const base = provider.baseUrl ?? 'https://account.example/base'
    const request = checkRequest(provider, 'api_key', 'KEY', base)
    expect(request === undefined).toBe(provider.check === undefined)
    if (request === undefined) return
    expect(request.url.startsWith(`${base}/`)).toBe(true)
    expect(request.headers).toMatchObject(authHeaders(provider, 'api_key', 'KEY'))
    if (provider.baseUrl === undefined) expect(checkRequest(provider, 'api_key', 'KEY')).toBeUndefined()
  })

  it.each(all)('%s: OpenAI’s paths, with their version or without', (_name, provider) => {
    const base = new URL(provider.baseUrl ?? 'https://account.example').pathname.replace(/\/$/, '')
    const place = (path: string): string =>
      `${base}${apiPath(provider, base, compatiblePath(provider, path))}`
    expect(place('/chat/completions')).toBe(place('/v1/chat/completions'))
    expect(place('/chat/completions')).toMatch(/[^/]\/chat\/completions$|^\/chat\/completions$/)
    // A base URL that ends where the API begins is no other place.
    const whole = place('/chat/completions').slice(0, -'/chat/completions'.length)
    for (const path of ['/chat/completions', '/v1/chat/completions'])
      expect(`${whole}${apiPath(provider, whole, compatiblePath(provider, path))}`).toBe(
        place('/chat/completions'),
      )
  })

  it('begins with those of the original and the three after them, in their order', () => {
    expect(CATALOGUE.slice(0, 13).map(({ name }) => name)).toEqual([
      ...['openai', 'anthropic', 'gemini', 'groq', 'mistral', 'cohere', 'xai', 'deepseek', 'qwen', 'minimax'],
      ...['openrouter', 'github-copilot', 'huggingface'],
    ])
  })

  it('gives no two providers the same name by others, and none the name of another', () => {
    const aliases = CATALOGUE.flatMap((one) => one.aliases ?? [])
    expect(new Set(aliases).size).toBe(aliases.length)
    const names = new Set(CATALOGUE.map(({ name }) => name))
    expect(aliases.filter((alias) => names.has(alias))).toEqual([])
  })

  it('has each name once', () => {
    expect(new Set(CATALOGUE.map(({ name }) => name)).size).toBe(CATALOGUE.length)
  })

  it('gives no two providers the same variable', () => {
    const names = CATALOGUE.flatMap((one) => [
      one.envKey,
      one.tokenEnvKey,
      one.baseUrlEnv,
      ...(one.envAliases ?? []),
    ])
    const given = names.filter((name) => name !== undefined)
    expect(new Set(given).size).toBe(given.length)
  })
})

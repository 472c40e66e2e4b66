import { describe, expect, it } from 'vitest'
import { AUTH_MODES } from '../domain/profile.js'
import type { ProviderMetadata } from '../domain/provider.js'
import { CATALOGUE } from './catalogue.js'
import {
  builtinProviders,
  getOAuthScopes,
  getProvider,
  getProviderWithScopes,
  getSuggestedProfileNames,
  isValidProvider,
  listProviders,
  listProvidersByMode,
  ProviderRegistry,
  registerCustomProvider,
  supportsMode,
} from './registry.js'

const THE_TEN = [
  'openai',
  'anthropic',
  'gemini',
  'groq',
  'mistral',
  'cohere',
  'xai',
  'deepseek',
  'qwen',
  'minimax',
]

const corp: ProviderMetadata = {
  name: 'corp',
  label: 'Corp',
  description: 'An in-house model',
  modes: ['api_key'],
  baseUrl: 'https://llm.corp.example/v1/',
}

function thrown(action: () => unknown): unknown {
  try {
    action()
  } catch (error) {
    return error
  }
  return undefined
}

describe('the functions of the seed', () => {
  it('builtinProviders holds the ten and ours, and cannot be changed', () => {
    expect(Object.keys(builtinProviders)).toEqual(expect.arrayContaining([...THE_TEN, 'openrouter']))
    expect(Object.keys(builtinProviders)).toHaveLength(CATALOGUE.length)
    expect(() => Object.assign(builtinProviders, { corp })).toThrow(TypeError)
    expect(() => Object.assign(builtinProviders.openai ?? {}, { label: 'x' })).toThrow(TypeError)
    expect(() => Object.assign(builtinProviders.openai?.modes ?? {}, { 0: 'oauth' })).toThrow(TypeError)
    expect(builtinProviders.constructor).toBeUndefined()
  })

  it('names are case-insensitive', () => {
    expect(getProvider('OpenAI')?.name).toBe('openai')
    expect(isValidProvider('GEMINI')).toBe(true)
    expect(supportsMode('Anthropic', 'oauth')).toBe(true)
    expect(getOAuthScopes('ANTHROPIC')).toEqual(['openid', 'email', 'profile'])
  })

  it.each(['', 'nobody', 'google', 'open', '__proto__', 'constructor', 'toString', ' openai'])(
    'there is no provider "%s"',
    (name) => {
      expect(getProvider(name)).toBeUndefined()
      expect(getProviderWithScopes(name)).toBeUndefined()
      expect(isValidProvider(name)).toBe(false)
      expect(AUTH_MODES.some((mode) => supportsMode(name, mode))).toBe(false)
      expect(() => getOAuthScopes(name)).toThrow(expect.objectContaining({ code: 'unknown_provider' }))
    },
  )

  it('listProviders lists them all by name, the same each time', () => {
    const names = listProviders().map(({ name }) => name)
    expect(names).toEqual(expect.arrayContaining(THE_TEN))
    expect(names).toEqual([...names].sort())
  })

  it('every provider takes a token; its own modes stay the original’s', () => {
    expect(listProvidersByMode('token')).toEqual(listProviders())
    expect(supportsMode('openai', 'token')).toBe(true)
    expect(supportsMode('openai', 'oauth')).toBe(false)
    expect(getProvider('openai')?.modes).toEqual(['api_key'])
    expect(listProvidersByMode('oauth').map(({ name }) => name)).toEqual(
      expect.arrayContaining(['anthropic', 'gemini', 'minimax', 'qwen']),
    )
    expect(supportsMode('openai', 'magic' as 'token')).toBe(false)
    expect(listProvidersByMode('magic' as 'token')).toEqual([])
  })

  it('scopes come from the provider, or from its OAuth endpoint', () => {
    expect(getProviderWithScopes('gemini')?.scopes).toContain(
      'https://www.googleapis.com/auth/cloud-platform',
    )
    expect(getProviderWithScopes('anthropic')?.scopes).toEqual(['openid', 'email', 'profile'])
    expect(getProviderWithScopes('groq')?.scopes).toEqual([])
    expect(getOAuthScopes('qwen', 'nothing-special')).toEqual(['openid', 'email', 'profile'])
  })

  it('scopes handed out are copies', () => {
    getOAuthScopes('gemini').push('everything')
    expect(getOAuthScopes('gemini')).not.toContain('everything')
  })

  it('suggested names', () => {
    expect(getSuggestedProfileNames('openai')).toEqual(['default', 'work', 'personal'])
    expect(getSuggestedProfileNames('nobody')).toEqual(['default', 'work', 'personal'])
  })

  it('registerCustomProvider makes a provider known and leaves the built-in ones alone', () => {
    registerCustomProvider({ ...corp, name: 'Registered-Here' })
    expect(getProvider('registered-here')?.baseUrl).toBe('https://llm.corp.example/v1')
    expect(listProviders().map(({ name }) => name)).toContain('registered-here')
    expect(builtinProviders['registered-here']).toBeUndefined()
    expect(() => registerCustomProvider({ ...corp, name: 'registered-here' })).toThrow(
      expect.objectContaining({ code: 'provider_exists' }),
    )
  })

  it('registerCustomProvider refuses the name of a built-in one', () => {
    expect(() => registerCustomProvider({ ...corp, name: 'OPENAI' })).toThrow(
      expect.objectContaining({ code: 'provider_exists' }),
    )
  })
})

describe('ProviderRegistry', () => {
  it('keeps a frozen copy', () => {
    const modes: ('api_key' | 'oauth')[] = ['api_key']
    const registry = new ProviderRegistry([{ ...corp, modes }])
    modes.push('oauth')
    expect(registry.get('corp')?.modes).toEqual(['api_key'])
    expect(Object.isFrozen(registry.get('corp')?.modes)).toBe(true)
  })

  it('knows what its parent knows, later additions included', () => {
    const parent = new ProviderRegistry()
    const child = new ProviderRegistry([corp], parent)
    parent.register({ ...corp, name: 'later' })
    expect(child.get('later')?.name).toBe('later')
    expect(child.list().map(({ name }) => name)).toEqual(['corp', 'later'])
    expect(parent.get('corp')).toBeUndefined()
  })

  it('refuses a name the parent has, and its own entry wins over a later one of the parent', () => {
    const parent = new ProviderRegistry([corp])
    expect(() => new ProviderRegistry([corp], parent)).toThrow(
      expect.objectContaining({ code: 'provider_exists' }),
    )
    const child = new ProviderRegistry([{ ...corp, name: 'twin', label: 'mine' }], parent)
    parent.register({ ...corp, name: 'twin', label: 'theirs' })
    expect(child.get('twin')?.label).toBe('mine')
    expect(child.list().map(({ label }) => label)).toEqual(['Corp', 'mine'])
  })

  it('scopes of a service, and of a child without its own', () => {
    const registry = new ProviderRegistry([
      { ...corp, oauthEndpoint: { authUrl: 'https://id.corp.example/a', scopes: ['base'] } },
      { ...corp, name: 'corp-mail', parentProvider: 'corp', scopes: ['mail.read'] },
      { ...corp, name: 'corp-files', parentProvider: 'corp' },
      {
        ...corp,
        name: 'configured',
        oauth: { issuer: 'https://id.corp.example', clientId: 'c', scopes: ['own'] },
      },
    ])
    expect(registry.oauthScopes('corp', 'mail')).toEqual(['mail.read'])
    expect(registry.oauthScopes('corp', 'files')).toEqual(['base'])
    expect(registry.oauthScopes('corp', 'calendar')).toEqual(['base'])
    expect(registry.oauthScopes('corp')).toEqual(['base'])
    expect(registry.oauthScopes('configured')).toEqual(['own'])
    expect(registry.getWithScopes('corp-mail')?.oauthEndpoint?.authUrl).toBe('https://id.corp.example/a')
  })

  it('parents that go round in a circle, or are missing, end somewhere', () => {
    const registry = new ProviderRegistry([
      { ...corp, name: 'a', parentProvider: 'b' },
      { ...corp, name: 'b', parentProvider: 'a' },
      { ...corp, name: 'orphan', parentProvider: 'nobody' },
    ])
    expect(registry.oauthScopes('a')).toEqual([])
    expect(registry.oauthScopes('orphan')).toEqual([])
  })

  it.each([
    [{ ...corp, name: 'two words' }, '"two words" is not a provider name'],
    [{ ...corp, name: undefined }, '"undefined" is not a provider name'],
    [{ ...corp, modes: [] }, 'modes must be a list of distinct modes'],
    [{ ...corp, baseUrl: 'http://corp.example' }, 'baseUrl must be an https URL'],
    [{ ...corp, base_url: 'https://corp.example' }, 'unknown key "base_url"'],
    [{ ...corp, envKey: 'NO-DASHES' }, 'envKey must be the name of an environment variable'],
    [{ ...corp, headers: { host: 'x' } }, 'headers must be an object of header names'],
    [{ ...corp, headers: { 'x-a': 'a\r\nb: c' } }, 'headers must be an object of header names'],
    [{ ...corp, oauth: { issuer: 'https://x.example' } }, 'oauth.clientId must be a text'],
    [
      { ...corp, oauthEndpoint: { tokenUrl: 'http://x.example' } },
      'oauthEndpoint.tokenUrl must be an https URL',
    ],
    [{ ...corp, suggestedNames: ['a:b'] }, 'suggestedNames must be a list'],
    [{ ...corp, parentProvider: 7 }, 'parentProvider must be the name of a provider'],
  ])('refuses %j', (metadata, message) => {
    const error = thrown(() => new ProviderRegistry([metadata as ProviderMetadata]))
    expect(error).toMatchObject({ code: 'invalid_provider', message: expect.stringContaining(message) })
  })
})

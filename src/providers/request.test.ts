import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { ProviderMetadata } from '../domain/provider.js'
import { CATALOGUE } from './catalogue.js'
import { parseCustomProvider } from './custom.js'
import { builtinProviders, getProvider } from './registry.js'
import { authHeaders, checkRequest, joinUrl, providerEnv, providerEnvNames } from './request.js'

function provider(name: string): ProviderMetadata {
  const found = getProvider(name)
  if (found === undefined) throw new Error(`no ${name}`)
  return found
}

const corp = parseCustomProvider('corp', {
  base_url: 'https://llm.corp.example/v1',
  base_url_env: 'CORP_BASE_URL',
  auth: 'header:X-Corp-Key',
})

describe('authHeaders', () => {
  it.each([
    ['openai', { authorization: 'Bearer KEY' }],
    ['anthropic', { 'x-api-key': 'KEY' }],
    ['gemini', { 'x-goog-api-key': 'KEY' }],
    ['groq', { authorization: 'Bearer KEY' }],
    ['openrouter', { authorization: 'Bearer KEY' }],
  ])('an API key of %s', (name, headers) => {
    expect(authHeaders(provider(name), 'api_key', 'KEY')).toEqual(headers)
  })

  it('a header of its own, and bearer where nothing is said', () => {
    expect(authHeaders(corp, 'api_key', 'KEY')).toEqual({ 'x-corp-key': 'KEY' })
    const bare: ProviderMetadata = { name: 'bare', label: 'Bare', description: '', modes: ['api_key'] }
    expect(authHeaders(bare, 'api_key', 'KEY')).toEqual({ authorization: 'Bearer KEY' })
  })

  it.each([...CATALOGUE, corp])('tokens and OAuth of $name are bearer tokens', (one) => {
    expect(authHeaders(one, 'token', 'T')).toEqual({ authorization: 'Bearer T' })
    expect(authHeaders(one, 'oauth', 'T')).toEqual({ authorization: 'Bearer T' })
  })

  it.each(['', 'a\nb', 'a\r\nx: y', 'a\0b', 'a\u007f', 'schlüssel→', 'a\tb', '\u{1f511}'])(
    'refuses %j',
    (credential) => {
      const attempt = () => authHeaders(provider('openai'), 'api_key', credential)
      expect(attempt).toThrow(expect.objectContaining({ code: 'invalid_secret' }))
      if (credential.length > 3) {
        expect(attempt).toThrow(expect.objectContaining({ message: expect.not.stringContaining(credential) }))
      }
    },
  )

  it('whatever it gives, fetch accepts', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (credential) => {
        let headers: Record<string, string>
        try {
          headers = authHeaders(provider('anthropic'), 'api_key', credential)
        } catch {
          return
        }
        expect(new Headers(headers).has('x-api-key')).toBe(true)
      }),
    )
  })
})

describe('providerEnv', () => {
  it.each([
    ['openai', { OPENAI_API_KEY: 'K' }],
    ['anthropic', { ANTHROPIC_API_KEY: 'K' }],
    ['gemini', { GOOGLE_API_KEY: 'K', GEMINI_API_KEY: 'K', GOOGLE_GENERATIVE_AI_API_KEY: 'K' }],
    ['cohere', { COHERE_API_KEY: 'K', CO_API_KEY: 'K' }],
    ['qwen', { QWEN_API_KEY: 'K', DASHSCOPE_API_KEY: 'K' }],
    ['huggingface', { HF_TOKEN: 'K', HUGGING_FACE_HUB_TOKEN: 'K' }],
  ])('%s', (name, variables) => {
    expect(providerEnv(provider(name), 'api_key', 'K')).toEqual(variables)
  })

  it.each(['token', 'oauth'] as const)(
    'in %s mode Anthropic’s variable is ANTHROPIC_AUTH_TOKEN alone',
    (mode) => {
      expect(providerEnv(provider('anthropic'), mode, 'T')).toEqual({ ANTHROPIC_AUTH_TOKEN: 'T' })
      expect(providerEnv(provider('openai'), mode, 'T')).toEqual({ OPENAI_API_KEY: 'T' })
    },
  )

  it('sets the base URL where it is overridden, and that of a custom provider', () => {
    expect(providerEnv(provider('openai'), 'api_key', 'K', 'http://127.0.0.1:9/v1')).toEqual({
      OPENAI_API_KEY: 'K',
      OPENAI_BASE_URL: 'http://127.0.0.1:9/v1',
    })
    expect(providerEnv(corp, 'api_key', 'K')).toEqual({
      CORP_API_KEY: 'K',
      CORP_BASE_URL: 'https://llm.corp.example/v1',
    })
    expect(providerEnv(provider('xai'), 'api_key', 'K', 'http://127.0.0.1:9')).toEqual({ XAI_API_KEY: 'K' })
  })

  it('gives no key for another address to programs that would send it to the provider itself', () => {
    const variables = providerEnv(provider('gemini'), 'api_key', 'K', 'http://127.0.0.1:9')
    expect(variables).toEqual({
      GOOGLE_API_KEY: 'K',
      GEMINI_API_KEY: 'K',
      GOOGLE_GEMINI_BASE_URL: 'http://127.0.0.1:9',
    })
    expect(providerEnvNames(provider('gemini'))).toContain('GOOGLE_GENERATIVE_AI_API_KEY')
  })

  it('takes any text but NUL', () => {
    expect(providerEnv(corp, 'api_key', 'two\nlines →')).toMatchObject({ CORP_API_KEY: 'two\nlines →' })
    expect(() => providerEnv(corp, 'api_key', 'a\0b')).toThrow(
      expect.objectContaining({ code: 'invalid_secret' }),
    )
  })

  it('providerEnvNames are all names of credentials, addresses and accounts', () => {
    expect(providerEnvNames(provider('anthropic'))).toEqual(
      expect.arrayContaining(['ANTHROPIC_API_KEY', 'ANTHROPIC_AUTH_TOKEN', 'ANTHROPIC_BASE_URL']),
    )
    expect(providerEnvNames(provider('anthropic'))).toContain('CLAUDE_CODE_OAUTH_TOKEN')
    expect(providerEnvNames(provider('gemini'))).toEqual(
      expect.arrayContaining(['GOOGLE_API_KEY', 'GEMINI_API_KEY', 'GOOGLE_GEMINI_BASE_URL']),
    )
    expect(providerEnvNames({ name: 'x', label: 'x', description: '', modes: ['token'] })).toEqual([])
  })

  it.each(Object.values(builtinProviders))('$name: every variable has one meaning', (metadata) => {
    const names = providerEnvNames(metadata)
    expect(new Set(names).size).toBe(names.length)
    const others = Object.values(builtinProviders).filter((other) => other !== metadata)
    const taken = new Set(others.flatMap((other) => providerEnvNames(other)))
    expect(names.filter((name) => taken.has(name))).toEqual([])
  })

  it("a subscription's token goes where Claude Code looks for it, and nowhere else", () => {
    expect(providerEnv(provider('anthropic'), 'token', 'sk-ant-oat01-x')).toEqual({
      CLAUDE_CODE_OAUTH_TOKEN: 'sk-ant-oat01-x',
    })
    expect(providerEnv(provider('anthropic'), 'token', 'other')).toEqual({ ANTHROPIC_AUTH_TOKEN: 'other' })
  })
})

describe('joinUrl', () => {
  it.each([
    ['https://api.groq.com', '/openai/v1/models', 'https://api.groq.com/openai/v1/models'],
    ['https://api.openai.com/v1/', 'models', 'https://api.openai.com/v1/models'],
    ['https://api.openai.com/v1', '/models', 'https://api.openai.com/v1/models'],
    ['https://a.example', '/v1beta/models?pageSize=1', 'https://a.example/v1beta/models?pageSize=1'],
    ['https://a.example/v1', '', 'https://a.example/v1'],
    ['https://a.example/v1', '?x=1', 'https://a.example/v1?x=1'],
    ['https://a.example/v1', '/a%2Fb/c:generate', 'https://a.example/v1/a%2Fb/c:generate'],
    ['http://127.0.0.1:9', '//evil.example/x', 'http://127.0.0.1:9//evil.example/x'],
    ['https://a.example', '@evil.example/', 'https://a.example/@evil.example/'],
    ['https://a.example', '.evil.example/', 'https://a.example/.evil.example/'],
    ['https://a.example', 'https://evil.example/', 'https://a.example/https://evil.example/'],
    ['https://a.example', ':99/x', 'https://a.example/:99/x'],
  ])('%s and %s', (base, path, url) => {
    expect(joinUrl(base, path)).toBe(url)
  })

  it.each(['/../b', '/x/../../b', '/%2e%2E/b', '\\..\\..\\b', '/.\t./b'])(
    '%j does not lead out of the base',
    (path) => {
      expect(() => joinUrl('https://a.example/tenant', path)).toThrow(
        expect.objectContaining({ code: 'foreign_host' }),
      )
    },
  )

  it('never leaves the host', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (path) => {
        let url: string
        try {
          url = joinUrl('https://a.example/v1', path)
        } catch {
          return
        }
        expect(new URL(url).origin).toBe('https://a.example')
        expect(new URL(url).pathname).toMatch(/^\/v1(\/|$)/)
      }),
    )
  })
})

describe('checkRequest', () => {
  it('an API key of Anthropic', () => {
    expect(checkRequest(provider('anthropic'), 'api_key', 'KEY')).toEqual({
      url: 'https://api.anthropic.com/v1/models',
      method: 'GET',
      headers: { accept: 'application/json', 'anthropic-version': '2023-06-01', 'x-api-key': 'KEY' },
    })
  })

  it('Cohere is asked with a POST', () => {
    expect(checkRequest(provider('cohere'), 'api_key', 'KEY')).toEqual({
      url: 'https://api.cohere.com/v1/check-api-key',
      method: 'POST',
      headers: {
        accept: 'application/json',
        authorization: 'Bearer KEY',
        'content-type': 'application/json',
      },
      body: '{}',
    })
  })

  it('goes to the profile’s own base URL', () => {
    const url = 'http://127.0.0.1:4567/up'
    expect(checkRequest(provider('gemini'), 'api_key', 'KEY', url)?.url).toBe(
      'http://127.0.0.1:4567/up/v1beta/models?pageSize=1',
    )
  })

  it('there is none without a check or without a base URL', () => {
    expect(checkRequest(provider('minimax'), 'api_key', 'KEY')).toBeUndefined()
    const nowhere: ProviderMetadata = {
      name: 'nowhere',
      label: 'x',
      description: '',
      modes: ['api_key'],
      check: { method: 'GET', path: '/' },
    }
    expect(checkRequest(nowhere, 'api_key', 'KEY')).toBeUndefined()
  })
})

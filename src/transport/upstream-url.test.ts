import { describe, expect, test } from 'vitest'
import type { ProviderMetadata } from '../domain/provider.js'
import { compatiblePath } from '../providers/api-paths.js'
import { builtinProviders, getProvider } from '../providers/registry.js'
import { upstreamUrl } from './upstream-url.js'

function provider(name: string): ProviderMetadata {
  const found = getProvider(name)
  if (found === undefined) throw new Error(name)
  return found
}

const openai = provider('openai')

describe('a path under a base URL', () => {
  test.each([
    [undefined, '/chat/completions', 'https://api.openai.com', '/v1/chat/completions'],
    [undefined, '', 'https://api.openai.com', '/v1'],
    [undefined, '?a=1', 'https://api.openai.com', '/v1?a=1'],
    ['https://proxy.corp', '', 'https://proxy.corp', '/'],
    ['https://proxy.corp:8443/a/b/', '/x//y?z=%2e%2e', 'https://proxy.corp:8443', '/a/b/x//y?z=%2e%2e'],
    ['http://127.0.0.1:9/v1', '/files/a%20b%2Fc', 'http://127.0.0.1:9', '/v1/files/a%20b%2Fc'],
    ['http://[::1]:9', '//evil.example/x', 'http://[::1]:9', '//evil.example/x'],
    [undefined, '/a...b/.c/..d', 'https://api.openai.com', '/v1/a...b/.c/..d'],
    [undefined, '/x?key=secret', 'https://api.openai.com', '/v1/x'],
    [undefined, '/x?a=1&KEY=secret&b=2&%6bey=more', 'https://api.openai.com', '/v1/x?a=1&b=2'],
    [undefined, '/x?keys=1&monkey=2&k%zz=3', 'https://api.openai.com', '/v1/x?keys=1&monkey=2&k%zz=3'],
  ])('%s %s', (base, path, origin, wanted) => {
    expect(upstreamUrl(openai, base, path)).toEqual({ origin, path: wanted })
  })

  test.each([
    '/../admin',
    '/a/../../admin',
    '/a/./b',
    '/..',
    '/%2e%2e/admin',
    '/%252e%252e/admin',
    '/x%25252f..%25252fadmin',
    '/.%2E/admin',
    '/a%2f..%2fb',
    '/a/..%2fb',
    '/a\\..\\b',
    '/a%5c..%5cb',
    '/..;/admin',
    'chat',
    'https://evil.example/x',
    '/a b',
    '/a\r\nx: y',
    '/a#b',
    '/é',
    '/a?b\u0000',
  ])('%j is refused', (path) => {
    expect(() => upstreamUrl(openai, undefined, path)).toThrow(
      expect.objectContaining({ code: 'foreign_host' }),
    )
  })

  test.each(['http://api.openai.com', 'ftp://x', 'https://user:pass@x', 'nonsense', 'https://x/#f'])(
    'the base URL %s is refused',
    (base) => {
      expect(() => upstreamUrl(openai, base, '/x')).toThrow(
        expect.objectContaining({ code: 'invalid_value' }),
      )
    },
  )

  test('a provider without a base URL needs one', () => {
    const { baseUrl: _none, ...bare } = openai
    expect(() => upstreamUrl(bare, undefined, '/x')).toThrow(/base URL/)
    expect(() => upstreamUrl(provider('azure-openai'), undefined, '/x')).toThrow(
      expect.objectContaining({
        code: 'invalid_value',
        message: 'each account of Azure OpenAI has a base URL of its own, and none is given',
        hint: '--base-url https://RESOURCE.openai.azure.com',
      }),
    )
  })
})

describe('the version of the API, in the path or not', () => {
  test.each([
    ['anthropic', '/messages', '/v1/messages'],
    ['anthropic', '/v1/messages?beta=true', '/v1/messages?beta=true'],
    ['anthropic', '/messages/count_tokens', '/v1/messages/count_tokens'],
    ['anthropic', '/api/event_logging/batch', '/api/event_logging/batch'],
    ['gemini', '/models/g:generateContent', '/v1beta/models/g:generateContent'],
    ['gemini', '/v1beta/models/g:generateContent', '/v1beta/models/g:generateContent'],
    ['gemini', '/v1/models/g:generateContent', '/v1/models/g:generateContent'],
    ['gemini', '/upload/v1beta/files', '/upload/v1beta/files'],
    ['groq', '/openai/v1/chat/completions', '/openai/v1/chat/completions'],
    ['groq', '/v1/models', '/openai/v1/models'],
    ['groq', '/chat/completions', '/openai/v1/chat/completions'],
    ['mistral', '/fim/completions', '/v1/fim/completions'],
    ['mistral', '/v1/chat/completions', '/v1/chat/completions'],
    ['openai', '/v1', '/v1'],
    ['openai', '/v1?x', '/v1?x'],
    ['openai', '/v1beta/x', '/v1/v1beta/x'],
    ['openai', '/v1x/y', '/v1/v1x/y'],
  ])('%s %s', (name, path, wanted) => {
    expect(upstreamUrl(provider(name), undefined, path).path).toBe(wanted)
  })

  test.each([
    ['anthropic', 'https://relay.example/claude', '/messages', '/claude/v1/messages'],
    ['anthropic', 'https://relay.example/claude/v1', '/v1/messages', '/claude/v1/messages'],
    ['anthropic', 'https://relay.example/claude/v1', '/messages', '/claude/v1/messages'],
    ['gemini', 'https://relay.example/v1beta', '/v1beta/models/g:x', '/v1beta/models/g:x'],
    ['openai', 'http://127.0.0.1:1234', '/v1/models', '/v1/models'],
    ['openai', 'http://127.0.0.1:1234', '/models', '/models'],
    ['groq', 'https://relay.example/openai/v1', '/openai/v1/chat/completions', '/openai/v1/chat/completions'],
    ['groq', 'https://relay.example/openai/v1', '/v1/chat/completions', '/openai/v1/chat/completions'],
    ['deepinfra', 'https://relay.example/v1/openai', '/v1/chat/completions', '/v1/openai/chat/completions'],
    ['deepinfra', 'https://relay.example/v1/openai', '/v1/openai/models', '/v1/openai/models'],
    [
      'azure-openai',
      'https://my.openai.azure.com',
      '/openai/deployments/d/chat/completions?api-version=2024-10-21',
      '/openai/deployments/d/chat/completions?api-version=2024-10-21',
    ],
    ['azure-openai', 'https://my.openai.azure.com', '/responses', '/openai/v1/responses'],
    ['azure-openai', 'https://my.openai.azure.com/openai/v1', '/openai/v1/responses', '/openai/v1/responses'],
    ['bedrock', 'https://bedrock-runtime.eu-west-1.amazonaws.com', '/model/m/invoke', '/model/m/invoke'],
    ['opencode', 'https://opencode.ai/zen', '/go/v1/chat/completions', '/zen/go/v1/chat/completions'],
    ['opencode', 'https://opencode.ai/zen', '/messages', '/zen/v1/messages'],
    ['ollama', 'http://127.0.0.1:11434', '/api/chat', '/api/chat'],
    ['ollama', 'http://127.0.0.1:11434', '/chat/completions', '/v1/chat/completions'],
  ])("%s at a profile's own base URL %s: %s", (name, base, path, wanted) => {
    expect(upstreamUrl(provider(name), base, path).path).toBe(wanted)
  })

  test('of every provider whose base URL has one, custom ones too', () => {
    const custom = { ...openai, name: 'corp', baseUrl: 'https://ai.corp.example/api/v2' }
    for (const one of [...Object.values(builtinProviders), custom]) {
      const version = /\/v\d+[^/]*$/.exec(one.baseUrl ?? '')?.[0]
      if (version === undefined) continue
      expect(upstreamUrl(one, undefined, `${version}/x?y`)).toEqual(upstreamUrl(one, undefined, '/x?y'))
    }
  })
})

describe('OpenAI paths elsewhere', () => {
  test.each([
    ['openai', '/chat/completions', '/v1/chat/completions'],
    ['openai', '/v1/chat/completions?x=1', '/v1/chat/completions?x=1'],
    ['groq', '/v1/chat/completions', '/openai/v1/chat/completions'],
    ['groq', '/chat/completions', '/openai/v1/chat/completions'],
    ['mistral', '/embeddings', '/v1/embeddings'],
    ['gemini', '/chat/completions', '/v1beta/openai/chat/completions'],
    ['anthropic', '/chat/completions', '/v1/chat/completions'],
    ['cohere', '/chat/completions', '/compatibility/v1/chat/completions'],
    ['deepseek', '/v1/chat/completions', '/chat/completions'],
    ['openrouter', '/chat/completions', '/api/v1/chat/completions'],
    ['xai', '/v1', '/v1'],
    ['openai', '/v1x', '/v1/v1x'],
  ])('%s %s', (name, path, wanted) => {
    expect(upstreamUrl(provider(name), undefined, compatiblePath(provider(name), path)).path).toBe(wanted)
  })

  test.each([
    ['groq', 'https://relay.example/openai/v1', '/openai/v1/chat/completions'],
    ['gemini', 'https://relay.example/v1beta/openai', '/v1beta/openai/chat/completions'],
    ['azure-openai', 'https://my.openai.azure.com/openai/v1', '/openai/v1/chat/completions'],
    ['cohere', 'https://relay.example', '/compatibility/v1/chat/completions'],
  ])('%s at %s, which may end there already', (name, base, wanted) => {
    const path = compatiblePath(provider(name), '/v1/chat/completions')
    expect(upstreamUrl(provider(name), base, path).path).toBe(wanted)
  })

  test('every built-in provider has a place', () => {
    for (const { name, baseUrl } of Object.values(builtinProviders)) {
      if (baseUrl === undefined) continue
      expect(upstreamUrl(provider(name), undefined, compatiblePath(provider(name), '/models')).path).toMatch(
        /\/models$/,
      )
    }
  })
})

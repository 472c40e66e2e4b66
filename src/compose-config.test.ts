import { expect, test } from 'vitest'
import { LiveConfig } from './compose-config.js'
import { parseConfigText } from './config/document.js'
import { parseConfigObject } from './config/load.js'
import type { KeymuxConfigInput } from './domain/config.js'

const corp = (baseUrl: string): KeymuxConfigInput => ({
  cooldown: { rateLimitSeconds: 10 },
  providers: { corp: { base_url: baseUrl, env_key: 'CORP_API_KEY' } },
})
const read = (input: KeymuxConfigInput): ReturnType<typeof parseConfigObject> => parseConfigObject(input)

test('a new config counts at once, in the objects that were handed out before', () => {
  const live = new LiveConfig(read(corp('https://one.example/v1')))
  const { cooldown, registry } = live
  expect(cooldown.rateLimitSeconds).toBe(10)
  live.replace(read({ cooldown: { billingMaxHours: 2 }, chains: { fast: ['openai'] } }))
  expect(cooldown).toEqual({ billingMaxHours: 2 })
  expect(registry.get('corp')).toBeUndefined()
  expect(live.current.chains).toEqual({ fast: ['openai'] })
  live.replace(read(corp('https://two.example/v1')))
  expect(registry.get('corp')?.baseUrl).toBe('https://two.example/v1')
})

test('a config that cannot be used leaves the old one as it is', () => {
  const live = new LiveConfig(read(corp('https://one.example/v1')))
  const before = live.current
  const bad = read({
    providers: { other: { base_url: 'https://x.example' }, worse: { base_url: 'http://x.example' } },
  })
  expect(() => live.replace(bad)).toThrow(expect.objectContaining({ code: 'invalid_config' }))
  expect(live.current).toBe(before)
  expect(live.cooldown.rateLimitSeconds).toBe(10)
  expect(live.registry.get('corp')?.baseUrl).toBe('https://one.example/v1')
  expect(live.registry.get('other')).toBeUndefined()
})

test.each([
  ['failure_family: acme', '5:5: providers.corp.failure_family', 'must be one of openai, anthropic'],
  ['failure_families: zai', '5:5: providers.corp.failure_families', 'unknown key "failure_families"'],
  ['check: { method: GET, path: models }', '5:27: providers.corp.check.path', 'must be a path'],
  ['compatible_path: /../x', '5:5: providers.corp.compatible_path', 'must be a path'],
  ['auth: { header: x-key, prefix: a b }', '5:28: providers.corp.auth.prefix', 'must be one word'],
])('a provider that says %s is refused with line and key', (line, place, problem) => {
  const text = `chains: {}\nproviders:\n  corp:\n    base_url: https://corp.example\n    ${line}\n`
  const config = parseConfigText(text, 'c.yaml')
  expect(() => new LiveConfig(config)).toThrow(
    expect.objectContaining({
      code: 'invalid_config',
      message: expect.stringContaining(`c.yaml:${place}: `),
    }),
  )
  expect(() => new LiveConfig(config)).toThrow(problem)
})

test('a built-in provider takes a proxy and nothing else; a declared one takes it among others', () => {
  const declared = { base_url: 'https://x.example', proxy: 'vault://p' }
  const live = new LiveConfig(read({ providers: { openai: { proxy: 'none' }, corp: declared } }))
  expect([live.proxyOf('openai'), live.proxyOf('corp'), live.proxyOf('groq')]).toEqual([
    'none',
    'vault://p',
    undefined,
  ])
  expect(live.registry.get('openai')?.baseUrl).toBe('https://api.openai.com/v1')
  for (const openai of [{ proxy: 'none', label: 'x' }, { proxy: 'http://u:Planted@h:1' }, { proxy: 7 }]) {
    const bad = read({ providers: { openai, other: { base_url: 'https://y.example' } } })
    expect(() => live.replace(bad)).toThrow(expect.objectContaining({ code: 'invalid_config' }))
    expect(() => live.replace(bad)).not.toThrow('Planted')
    expect([live.proxyOf('openai'), live.registry.get('other')]).toEqual(['none', undefined])
  }
  live.replace(read({}))
  expect([live.proxyOf('openai'), live.proxyOf('corp')]).toEqual([undefined, undefined])
})

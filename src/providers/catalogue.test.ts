import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import type { ProviderMetadata } from '../domain/provider.js'
import { CATALOGUE } from './catalogue.js'
import { readProvider } from './declaration.js'

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

describe('the catalogue', () => {
  it.each(Object.entries(original))('%s is the original’s', (name, fields) => {
    const provider = CATALOGUE.find((one) => one.name === name)
    expect(provider && asOriginal(provider)).toEqual(fields)
  })

  it.each(CATALOGUE.map((provider) => [provider.name, provider] as const))(
    '%s is sound',
    (name, provider) => {
      const { name: _name, ...fields } = provider
      expect(readProvider(name, fields, 'camel')).toEqual(provider)
      expect(provider.baseUrl).toMatch(/^https:\/\/.*[^/]$/)
      expect(provider.family).toBeDefined()
      expect(provider.auth).toBeDefined()
    },
  )

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

import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { KeymuxError } from './errors.js'
import type { AuthProfile } from './profile.js'
import { profileFromJson, profileToJson, usageFromJson, usageToJson } from './profile-codec.js'
import { FAILURE_REASONS, type ProfileUsageStats } from './usage.js'

const sample = JSON.parse(readFileSync('test/vectors/devclaw/sample.store.json', 'utf8'))

const AT = '2026-03-01T09:30:00Z'
const base = {
  id: 'openai:work',
  provider: 'openai',
  name: 'work',
  mode: 'api_key',
  enabled: true,
  created_at: AT,
  updated_at: AT,
}

function messageOf(action: () => unknown): string {
  try {
    action()
  } catch (error) {
    if (error instanceof KeymuxError && error.code === 'invalid_import') return error.message
    throw error
  }
  throw new Error('nothing was thrown')
}

describe('profileFromJson', () => {
  it('reads an OAuth profile of the original', () => {
    expect(profileFromJson(sample.profiles['gemini:personal'])).toEqual({
      id: 'gemini:personal',
      provider: 'gemini',
      name: 'personal',
      mode: 'oauth',
      priority: 0,
      enabled: true,
      createdAt: new Date('2026-03-01T09:30:00.123Z'),
      updatedAt: new Date('2026-11-23T14:50:44.331Z'),
      lastUsedAt: new Date('2026-11-23T14:50:44.332Z'),
      oauth: {
        provider: 'gemini',
        profileName: 'personal',
        accessToken: 'ya29.shared',
        refreshToken: '1//shared-refresh',
        expiresAt: new Date('2031-01-02T03:04:05Z'),
        email: 'shared@example.com',
        clientId: 'cid-shared',
        scopes: ['openid', 'email'],
        metadata: { project_id: 'proj-shared' },
      },
    })
  })

  it('takes null and empty optional fields for absent, and ignores unknown ones', () => {
    const json = {
      ...base,
      last_error: '',
      last_used_at: null,
      oauth: null,
      api_key: { key: '', key_ref: null, colour: 'red' },
      models: [],
      future: { deep: [1] },
    }
    const profile = profileFromJson(json)
    expect(profile.apiKey).toEqual({})
    expect(Object.keys(profile).sort()).toEqual(
      ['apiKey', 'createdAt', 'enabled', 'id', 'mode', 'name', 'priority', 'provider', 'updatedAt'].sort(),
    )
  })

  it('reads a missing time of creation as the original does', () => {
    const { created_at: _created, updated_at: _updated, ...json } = base
    expect(profileFromJson(json).createdAt.toISOString()).toBe('0001-01-01T00:00:00.000Z')
    expect(profileToJson(profileFromJson(json)).updated_at).toBe('0001-01-01T00:00:00Z')
  })

  it('lower-cases the provider', () => {
    const profile = profileFromJson({ ...base, id: 'OpenAI:work', provider: 'OPENAI' })
    expect([profile.id, profile.provider]).toEqual(['openai:work', 'openai'])
  })

  it('gives an OAuth login to the profile that holds it (no credential crosses to another name)', () => {
    const oauth = { provider: 'google', profile_name: 'other', access_token: 'a', refresh_token: 'r' }
    const read = profileFromJson({ ...base, mode: 'oauth', oauth }).oauth
    expect(read).toMatchObject({ provider: 'openai', profileName: 'work', accessToken: 'a' })
    expect(read?.expiresAt.getUTCFullYear()).toBe(1)
  })

  const oauth = { access_token: 'at-secret', refresh_token: 'rt-secret' }
  it.each([
    [[], 'profile: expected an object'],
    [{ ...base, id: 7 }, 'profile.id: expected a text'],
    [{ ...base, id: 'openai' }, 'profile.id: expected a profile id, provider:name'],
    [{ ...base, id: '__proto__' }, 'profile.id: expected a profile id, provider:name'],
    [{ ...base, id: 'a:b:work' }, 'profile.id: expected a profile id, provider:name'],
    [{ ...base, provider: undefined }, 'profile.provider: expected a text'],
    [{ ...base, provider: 'groq' }, 'profile.provider: expected openai, as in the id'],
    [{ ...base, name: 'home' }, 'profile.name: expected the same name as in the id'],
    [{ ...base, mode: 'magic' }, 'profile.mode: expected one of oauth, token, api_key'],
    [{ ...base, mode: ['oauth'] }, 'profile.mode: expected one of oauth, token, api_key'],
    [{ ...base, enabled: 'yes' }, 'profile.enabled: expected true or false'],
    [{ ...base, enabled: undefined }, 'profile.enabled: expected true or false'],
    [{ ...base, priority: 1.5 }, 'profile.priority: expected a whole number'],
    [{ ...base, priority: 1e300 }, 'profile.priority: expected a whole number'],
    [{ ...base, priority: '1' }, 'profile.priority: expected a whole number'],
    [{ ...base, created_at: 1 }, 'profile.created_at: expected an RFC 3339 time'],
    [{ ...base, updated_at: 'today' }, 'profile.updated_at: expected an RFC 3339 time'],
    [{ ...base, last_error: {} }, 'profile.last_error: expected a text'],
    [{ ...base, api_key: 'sk-secret' }, 'profile.api_key: expected an object'],
    [{ ...base, api_key: { key: ['sk-secret'] } }, 'profile.api_key.key: expected a text'],
    [{ ...base, token: { expires_at: 'soon' } }, 'profile.token.expires_at: expected an RFC 3339 time'],
    [{ ...base, oauth: { ...oauth, provider: 1 } }, 'profile.oauth.provider: expected a text'],
    [{ ...base, oauth: { ...oauth, expires_at: 12 } }, 'profile.oauth.expires_at: expected an RFC 3339 time'],
    [{ ...base, oauth: { ...oauth, scopes: 'openid' } }, 'profile.oauth.scopes: expected a list of texts'],
    [{ ...base, oauth: { ...oauth, scopes: ['a', 2] } }, 'profile.oauth.scopes[1]: expected a text'],
    [{ ...base, oauth: { ...oauth, metadata: { p: 1 } } }, 'profile.oauth.metadata["p"]: expected a text'],
    [{ ...base, oauth: { ...oauth, login_needed: 1 } }, 'profile.oauth.login_needed: expected true or false'],
    [{ ...base, models: { 0: 'a' } }, 'profile.models: expected a list of texts'],
    [{ ...base, base_url: 5 }, 'profile.base_url: expected a text'],
  ])('names the field that is wrong (%#)', (json, message) => {
    const found = messageOf(() => profileFromJson(json))
    expect(found).toBe(message)
    expect(found).not.toContain('secret')
  })

  it('names the path that it was given', () => {
    expect(messageOf(() => profileFromJson({ ...base, mode: 1 }, 'profiles["openai:work"]'))).toBe(
      'profiles["openai:work"].mode: expected one of oauth, token, api_key',
    )
  })

  it('refuses __proto__ as a metadata key and pollutes nothing', () => {
    const json = JSON.parse(
      JSON.stringify({ ...base, oauth }).replace('"access', '"metadata":{"__proto__":"x"},"access'),
    )
    expect(messageOf(() => profileFromJson(json))).toBe(
      'profile.oauth.metadata["__proto__"]: expected another key',
    )
  })

  it('reads own fields alone', () => {
    const json = Object.assign(Object.create({ api_key: { key: 'inherited' } }), base)
    expect(profileFromJson(json).apiKey).toBeUndefined()
    const shadowed = JSON.parse(JSON.stringify(base).replace('{', '{"__proto__":{"last_error":"x"},'))
    expect(profileFromJson(shadowed).lastError).toBeUndefined()
  })

  it('is not bothered by depth in fields it does not know', () => {
    const deep = `${'['.repeat(200_000)}${']'.repeat(200_000)}`
    const json = JSON.parse(JSON.stringify(base).replace('{', `{"future":${deep},`))
    expect(profileFromJson(json).id).toBe('openai:work')
  })
})

const time = fc.date({ min: new Date(0), max: new Date('9999-12-31T23:59:59.999Z'), noInvalidDate: true })
const text = fc.string({ minLength: 1, unit: 'grapheme' })
const key = text.filter((name) => name !== '__proto__')
const optional = { requiredKeys: [] }

const profiles: fc.Arbitrary<AuthProfile> = fc.record(
  {
    id: fc.constant('openai:work' as const),
    provider: fc.constant('openai'),
    name: fc.constant('work'),
    mode: fc.constantFrom('api_key', 'oauth', 'token'),
    priority: fc.maxSafeInteger(),
    enabled: fc.boolean(),
    createdAt: time,
    updatedAt: time,
    lastUsedAt: time,
    lastError: text,
    lastErrorAt: time,
    apiKey: fc.record({ key: text, keyRef: text }, optional),
    oauth: fc.record(
      {
        provider: fc.constant('openai'),
        profileName: fc.constant('work'),
        accessToken: fc.string(),
        refreshToken: fc.string(),
        expiresAt: time,
        email: text,
        clientId: text,
        scopes: fc.array(fc.string(), { minLength: 1 }),
        metadata: fc.dictionary(key, fc.string(), { minKeys: 1, noNullPrototype: true }),
        loginNeeded: fc.constant(true),
      },
      { requiredKeys: ['provider', 'profileName', 'accessToken', 'refreshToken', 'expiresAt'] },
    ),
    token: fc.record({ token: text, tokenRef: text, expiresAt: time }, optional),
    account: text,
    models: fc.array(fc.string(), { minLength: 1 }),
    baseUrl: text,
  },
  { requiredKeys: ['id', 'provider', 'name', 'mode', 'priority', 'enabled', 'createdAt', 'updatedAt'] },
)

const reason = fc.constantFrom(...FAILURE_REASONS)
const run = fc.record({ count: fc.integer({ min: 1 }), lastAt: time })
const usage: fc.Arbitrary<ProfileUsageStats> = fc.record(
  {
    lastUsed: time,
    cooldownUntil: time,
    cooldownReason: reason,
    cooldownStated: fc.constant(true),
    disabledUntil: time,
    disabledReason: reason,
    disabledStated: fc.constant(true),
    errorCount: fc.nat(),
    failureCounts: fc.dictionary(reason, fc.integer({ min: 1 }), { noNullPrototype: true }),
    lastFailureAt: time,
    modelCooldowns: fc.dictionary(
      key,
      fc.record(
        { until: time, reason, stated: fc.constant(true), presumed: fc.constant(true) },
        { requiredKeys: ['until', 'reason'] },
      ),
      { minKeys: 1, noNullPrototype: true },
    ),
    refused: fc.dictionary(
      key,
      fc.record(
        {
          conversations: fc.array(fc.string(), { minLength: 1, maxLength: 3 }),
          lastAt: time,
          until: time,
          count: fc.nat(),
        },
        { requiredKeys: ['conversations', 'lastAt', 'count'] },
      ),
      { minKeys: 1, noNullPrototype: true },
    ),
    runs: fc.record(
      { auth: run, transient: run, overloaded: run, billing: run, auth_permanent: run },
      optional,
    ),
  },
  { requiredKeys: ['errorCount', 'failureCounts'] },
)

describe('the codec', () => {
  it('gives back every profile that it wrote, through JSON text', () => {
    fc.assert(
      fc.property(profiles, (profile) => {
        expect(profileFromJson(JSON.parse(JSON.stringify(profileToJson(profile))))).toEqual(profile)
      }),
    )
  })

  it('gives back all statistics that it wrote, through JSON text', () => {
    fc.assert(
      fc.property(usage, (stats) => {
        expect(usageFromJson(JSON.parse(JSON.stringify(usageToJson(stats))))).toEqual(stats)
      }),
    )
  })

  it('refuses garbage with a typed error and nothing else', () => {
    const field = fc.constantFrom(...Object.keys(base), 'api_key', 'oauth', 'token', 'priority', 'models')
    const usageField = fc.constantFrom(
      'runs',
      'model_cooldowns',
      'failure_counts',
      'cooldown_until',
      'error_count',
    )
    const attempt = (read: () => unknown): void => {
      try {
        read()
      } catch (error) {
        expect(error).toMatchObject({ code: 'invalid_import' })
      }
    }
    fc.assert(
      fc.property(field, usageField, fc.anything(), (name, usageName, value) => {
        attempt(() => profileFromJson({ ...base, [name]: value }))
        attempt(() => profileFromJson(value))
        attempt(() => usageFromJson({ [usageName]: value }))
        attempt(() => usageFromJson(value))
      }),
      { numRuns: 500 },
    )
  })
})

describe('usageToJson', () => {
  it('leaves out what is empty and sorts maps', () => {
    expect(usageToJson({ errorCount: 0, failureCounts: {} })).toEqual({})
    const counts = usageToJson({ errorCount: 2, failureCounts: { rate_limit: 1, billing: 1, auth: 0 } })
    expect(JSON.stringify(counts)).toBe('{"error_count":2,"failure_counts":{"billing":1,"rate_limit":1}}')
  })

  it('keeps empty runs: they say that the exponents have ended', () => {
    expect(
      usageFromJson(usageToJson({ errorCount: 1, failureCounts: { billing: 1 }, runs: {} })).runs,
    ).toEqual({})
  })
})

describe('usageFromJson', () => {
  it('ignores counts of reasons it does not know, but not their shape', () => {
    expect(usageFromJson({ failure_counts: { cosmic_rays: 3, auth: 1 } }).failureCounts).toEqual({ auth: 1 })
    expect(messageOf(() => usageFromJson({ failure_counts: { cosmic_rays: '3' } }))).toBe(
      'usage_stats.failure_counts["cosmic_rays"]: expected a whole number of at least 0',
    )
  })

  it.each([
    [{ error_count: -1 }, 'usage_stats.error_count: expected a whole number of at least 0'],
    [{ error_count: 1e17 }, 'usage_stats.error_count: expected a whole number of at least 0'],
    [{ failure_counts: [1] }, 'usage_stats.failure_counts: expected an object'],
    [{ cooldown_until: 'x' }, 'usage_stats.cooldown_until: expected an RFC 3339 time'],
    [{ disabled_stated: 'x' }, 'usage_stats.disabled_stated: expected true or false'],
    [{ model_cooldowns: { m: {} } }, 'usage_stats.model_cooldowns["m"].until: expected an RFC 3339 time'],
    [
      { runs: { auth: { last_at: AT } } },
      'usage_stats.runs.auth.count: expected a whole number of at least 1',
    ],
    [{ runs: { auth: { count: 1 } } }, 'usage_stats.runs.auth.last_at: expected an RFC 3339 time'],
  ])('names the field that is wrong (%#)', (json, message) => {
    expect(messageOf(() => usageFromJson(json))).toBe(message)
  })

  it('names a wrong reason', () => {
    expect(messageOf(() => usageFromJson({ disabled_reason: 'whim' }))).toMatch(
      /^usage_stats\.disabled_reason: expected one of auth, /,
    )
  })
})

import { describe, expect, it } from 'vitest'
import { openTestHandle } from '../../test/support/handle.js'
import { ProfileTools } from './profile-tools.js'
import { TOOL_DEFINITIONS } from './tool-definitions.js'

/** A value of the type a property declares, and one that is not. */
const VALUES = {
  string: ['text', 7],
  integer: [1, '1'],
  boolean: [true, 'true'],
  array: [['a'], 'a'],
  object: [{}, 7],
} as const

/** Arguments with which every tool gets past the reading of its arguments. */
const GOOD: Record<string, unknown> = {
  profile_id: 'openai:nobody',
  provider: 'openai',
  name: 'work',
  mode: 'api_key',
  api_key: 'k',
  priority: 1,
  base_url: 'https://api.example.com/v1',
  account: 'org',
  models: ['gpt-*'],
  replace: true,
  enable: true,
  enabled: true,
  data: { key: 'k' },
}

const good = (properties: readonly string[]): Record<string, unknown> =>
  Object.fromEntries(properties.filter((name) => name !== 'token').map((name) => [name, GOOD[name]]))

describe('the definitions', () => {
  it('name every method of the tools once', () => {
    const methods = Object.getOwnPropertyNames(ProfileTools.prototype).filter(
      (name) => !['constructor', 'call', 'update'].includes(name),
    )
    expect(TOOL_DEFINITIONS.map(({ method }) => method).sort()).toEqual(methods.sort())
    expect(new Set(TOOL_DEFINITIONS.map(({ name }) => name)).size).toBe(TOOL_DEFINITIONS.length)
  })

  it('are plain data', () => {
    expect(JSON.parse(JSON.stringify(TOOL_DEFINITIONS))).toEqual(TOOL_DEFINITIONS)
  })

  it.each(TOOL_DEFINITIONS)('$name describes what it reads', async ({ name, input_schema }) => {
    const { profiles, resolver, close } = await openTestHandle()
    const tools = new ProfileTools(profiles, resolver)
    const { properties, required } = input_schema
    const complete = good(Object.keys(properties))
    const whole = await tools.call(name, complete)
    expect(whole).not.toMatchObject({ code: 'invalid_value' })
    for (const property of required) {
      const { [property]: _left, ...rest } = complete
      const result = await tools.call(name, rest)
      expect(result).toMatchObject({ success: false })
      expect(JSON.stringify(result)).toContain(property)
    }
    for (const [property, { type }] of Object.entries(properties)) {
      const result = await tools.call(name, { ...complete, [property]: VALUES[type][1] })
      expect(result).toMatchObject({ success: false })
      expect(JSON.stringify(result)).toContain(`${property}: `)
    }
    await close()
  })

  it('an unknown tool is a failure', async () => {
    const { profiles, resolver, close } = await openTestHandle()
    const tools = new ProfileTools(profiles, resolver)
    for (const name of ['', 'profile_steal', 'add', 'constructor', '__proto__', 'call']) {
      expect(await tools.call(name, {})).toEqual({
        success: false,
        code: 'invalid_value',
        error: 'there is no such tool',
      })
    }
    await close()
  })
})

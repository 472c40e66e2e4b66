import { expect, test } from 'vitest'
import { customProviderToJson, parseCustomProvider } from './custom.js'

const corp = { base_url: 'https://api.corp.example/v1' }

test('a custom provider says what its check tells, and whether it is asked', () => {
  const check = { method: 'GET', path: '/balance', tells: 'credit' }
  const provider = parseCustomProvider('corp', { ...corp, check, health: false })
  expect(provider).toMatchObject({ check, health: false })
  expect(parseCustomProvider('corp', customProviderToJson(provider))).toEqual(provider)
  expect(parseCustomProvider('corp', corp)).not.toHaveProperty('health')
})

test.each([
  [{ check: { method: 'GET', path: '/m', tells: 'money' } }, 'check.tells must be credit'],
  [{ check: { method: 'GET', path: '/m', tells: true } }, 'check.tells must be credit'],
  [{ health: 'no' }, 'health must be true or false'],
])('%j is refused', (wrong, message) => {
  expect(() => parseCustomProvider('corp', { ...corp, ...wrong })).toThrow(message)
})

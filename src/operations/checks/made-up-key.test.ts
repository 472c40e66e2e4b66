import fc from 'fast-check'
import { expect, test } from 'vitest'
import { madeUpKey } from './made-up-key.js'

test.each([
  ['sk-proj-Ab3_xY9-zz', /^sk-proj-[A-Z][a-z][0-9]_[a-z][A-Z][0-9]-[a-z]{2}$/],
  ['sk-ant-api03-0aB', /^sk-ant-api03-[0-9][a-z][A-Z]$/],
  [`sk-or-v1-${'0f'.repeat(32)}`, /^sk-or-v1-[0-9a-f]{64}$/],
  ['AIzaSyA1', /^AIza[A-Z][a-z][A-Z][0-9]$/],
  ['eyJhbGci.eyJzdWI.c2ln', /^[a-zA-Z0-9]{8}\.[a-zA-Z0-9]{7}\.[a-zA-Z0-9]{4}$/],
])('a key like %s has its shape', (credential, shape) => {
  expect(madeUpKey(credential, Math.random)).toMatch(shape)
})

test('fits a header, is as long as the key, and is another one wherever there is room for one', () => {
  const key = fc.string({ unit: fc.constantFrom(...'abXYZ019-_.'), minLength: 16, maxLength: 200 })
  fc.assert(
    fc.property(key, (credential) => {
      const made = madeUpKey(credential, Math.random)
      expect(made).toHaveLength(credential.length)
      expect(made).toMatch(/^[\x21-\x7e]+$/)
      if (credential.replace(/[-_.]/g, '').length >= 12) expect(made).not.toBe(credential)
    }),
  )
})

test('chance at its ends still gives characters', () => {
  expect(madeUpKey('sk-aB3', () => 0)).toBe('sk-aA0')
  expect(madeUpKey('sk-aB3', () => 1)).toBe('sk-aA0')
})

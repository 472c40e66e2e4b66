import { describe, expect, it } from 'vitest'
import { parseList } from './members.js'

describe('lists', () => {
  it('drops spaces, refuses holes', () => {
    expect(parseList('--models', 'gpt-4*, o3')).toEqual(['gpt-4*', 'o3'])
    expect(() => parseList('--models', 'a,,b')).toThrowError('empty entry')
    expect(() => parseList('--models', '')).toThrowError('empty entry')
  })
})

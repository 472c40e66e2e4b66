import { describe, expect, test } from 'vitest'
import { isOwnGroup } from './own-group.js'

const PASSWD = `root:x:0:0:root:/root:/bin/sh
# eve:x:1000:1000::/:/bin/sh
alice:x:1000:1000:Alice,,,:/:/bin/sh
bob:x:1001:1001::/:/bin/sh
carol:x:1002:100::/:/bin/sh
`
const GROUP = `root:x:0:
users:x:100:
alice:x:1000:
bob:x:1001:alice
team:x:2000:alice
empty:x:2001:
`
const own = (gid: bigint, user: bigint, files: { passwd?: string; group?: string } = {}): boolean =>
  isOwnGroup({ passwd: PASSWD, group: GROUP, ...files }, gid, user)

describe('a group of our own', () => {
  test('is one of our name that nobody else is in', () => {
    expect(own(1000n, 1000n)).toBe(true)
    expect(own(0n, 0n)).toBe(true)
    expect(own(0n, 1000n)).toBe(true)
    // In a container with any user at all, who is not listed.
    expect(own(0n, 4711n)).toBe(true)
    expect(own(1000n, 1000n, { group: GROUP.replace('alice:x:1000:', 'alice:x:1000:alice,root') })).toBe(true)
  })

  test.each<[string, bigint, bigint, { passwd?: string; group?: string }?]>([
    ["another user's", 1001n, 1000n],
    ["another user's, to root", 1000n, 0n],
    ['one that another user has been put into', 1001n, 1001n],
    ['one that is the first of another user', 1000n, 1000n, { passwd: `${PASSWD}dan:x:1003:1000::/:\n` }],
    ['one that holds us alone, and has a name of its own', 2000n, 1000n],
    ['one that all users have', 100n, 1002n],
    ['an empty one', 2001n, 1000n],
    ['one that is not listed', 3000n, 1000n],
    ['one with a member who is not listed', 1000n, 1000n, { group: `alice:x:1000:ldap-user\n` }],
    ['one of two names', 1000n, 1000n, { group: `${GROUP}other:x:1000:\n` }],
    ['any, where nothing is known', 1000n, 1000n, { passwd: '', group: '' }],
  ])('is not %s', (_name, gid, user, files) => {
    expect(own(gid, user, files)).toBe(false)
  })
})

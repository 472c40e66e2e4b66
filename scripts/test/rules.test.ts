import { readFileSync } from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'
import { Fixture, ROOT } from './fixture.js'

const bin = (name: string): string => path.join(ROOT, 'node_modules', name)

test('the dependency rules fire on what they forbid, and on nothing else', async () => {
  const empty = 'export const nothing: number = 0\n'
  const fixture = new Fixture({
    'package.json': JSON.stringify({
      type: 'module',
      dependencies: { zod: '*' },
      devDependencies: { vitest: '*' },
    }),
    'src/domain/fine.ts': empty,
    'src/domain/up.ts': "import type { nothing } from '../policy/fine.js'\nexport type Up = typeof nothing\n",
    'src/policy/fine.ts': "export { nothing } from '../domain/fine.js'\n",
    'src/policy/file.ts':
      "import { readFileSync } from 'node:fs'\nexport const read: unknown = readFileSync\n",
    'src/policy/package.ts': "import { z } from 'zod'\nexport const zed: unknown = z\n",
    'src/storage/fine.ts':
      "import { z } from 'zod'\nexport { nothing } from '../domain/fine.js'\nexport const zed: unknown = z\n",
    'src/storage/dev.ts': "import { vi } from 'vitest'\nexport const dev: unknown = vi\n",
    'src/config/sibling.ts': "export const late = (): unknown => import('../providers/fine.js')\n",
    'src/interchange/sibling.ts': "export { nothing } from '../providers/fine.js'\n",
    'src/providers/fine.ts': "export { nothing } from '../domain/fine.js'\n",
    'src/profiles/up.ts': "export { nothing } from '../resolver/fine.js'\n",
    'src/resolver/fine.ts': "export { nothing } from '../storage/fine.js'\n",
    'src/resolver/compose.ts': "export { nothing } from '../compose.js'\n",
    'src/transport/up.ts': "export { nothing } from '../surfaces/gateway/fine.js'\n",
    'src/surfaces/gateway/fine.ts': "export { nothing } from '../../transport/fine.js'\n",
    'src/transport/fine.ts': empty,
    'src/surfaces/cli/other.ts': "export { nothing } from '../gateway/fine.js'\n",
    'src/surfaces/cli/main.ts':
      "export { nothing } from '../gateway/fine.js'\nexport * from '../../compose.js'\n",
    'src/compose.ts': "export { nothing } from './resolver/fine.js'\n",
    'src/index.ts': "export { nothing } from './testing/fake.js'\n",
    'src/testing/fake.ts': empty,
    'src/entries/testing.ts': "export { nothing } from '../testing/fake.js'\n",
    'src/oauth/lost.ts': "export { nothing } from './nowhere.js'\n",
    'src/oauth/helper.ts': "export { nothing } from '../../test/support.js'\n",
    'src/oauth/fine.test.ts':
      "import '../surfaces/gateway/fine.js'\nimport '../../test/support.js'\nimport 'vitest'\n",
    'src/crypto/sibling.ts': "export { nothing } from '../storage/fine.js'\n",
    'src/vault/up.ts': "export { nothing } from '../profiles/up.js'\n",
    'src/logins/up.ts': "export { nothing } from '../resolver/fine.js'\n",
    'src/operations/up.ts': "export { nothing } from '../surfaces/gateway/fine.js'\n",
    'src/compat/up.ts': "export { nothing } from '../transport/fine.js'\n",
    'src/providers/sibling.ts': "export { nothing } from '../crypto/sibling.js'\n",
    'src/storage/sibling.ts': "export { uses } from '../oauth/uses.js'\n",
    'src/oauth/types.ts': "import type { uses } from './uses.js'\n\nexport type Uses = typeof uses\n",
    'src/oauth/uses.ts':
      "import type { Uses } from './types.js'\n\nexport const uses = (given: Uses): unknown => given\n",
    'src/policy/sibling.ts': "export { nothing } from '../providers/fine.js'\n",
    'src/vault/fine.ts': "export * from '../crypto/fine.js'\nexport { nothing } from '../storage/fine.js'\n",
    'src/crypto/fine.ts': "export { nothing as none } from '../domain/fine.js'\n",
    'src/profiles/fine.ts': "export { nothing } from '../vault/fine.js'\n",
    'src/profiles/compat.ts': "export { nothing } from '../compat/fine.js'\n",
    'src/logins/fine.ts': "export { nothing } from '../profiles/fine.js'\n",
    'src/operations/fine.ts': "export { nothing } from '../transport/fine.js'\n",
    'src/operations/system.ts': "export { nothing } from '../system/fine.js'\n",
    'src/compat/fine.ts': "export { nothing } from '../logins/fine.js'\n",
    'src/system/fine.ts': "export { nothing } from '../vault/fine.js'\n",
    'src/system/up.ts': "export { nothing } from '../profiles/fine.js'\n",
    'src/surfaces/gateway/system.ts': "export { nothing } from '../../system/fine.js'\n",
    'src/surfaces/cli/system.ts':
      "export { nothing } from '../../system/fine.js'\nexport * from '../../operations/fine.js'\n",
    'src/surfaces/cli/compat.ts': "export { nothing } from '../../compat/fine.js'\n",
    'src/compose-fine.ts': "export { nothing } from './system/fine.js'\nexport * from './compat/fine.js'\n",
    'src/other.ts': "export { nothing } from './system/fine.js'\n",
    'src/above.ts': "export * from './entries/testing.js'\n",
    'src/entries/compat.ts': "export { nothing } from '../compat/fine.js'\n",
    'src/elsewhere/new.ts': "export { nothing } from '../domain/fine.js'\n",
    'test/support.ts': "export { nothing } from '../src/domain/fine.js'\n",
  })
  fixture.copy('.dependency-cruiser.cjs')
  fixture.linkPackages()
  const { output } = await fixture.node([
    bin('dependency-cruiser/bin/dependency-cruise.mjs'),
    ...['src', '--config', '.dependency-cruiser.cjs', '--output-type', 'json'],
  ])
  const { summary } = JSON.parse(output) as {
    summary: { violations: { from: string; rule: { name: string } }[] }
  }
  const fired = summary.violations.map(({ from, rule }) => `${rule.name}: ${from}`)
  expect(fired.sort()).toEqual([
    'arrows-compat: src/compat/up.ts',
    'arrows-config: src/config/sibling.ts',
    'arrows-crypto: src/crypto/sibling.ts',
    'arrows-domain: src/domain/up.ts',
    'arrows-interchange: src/interchange/sibling.ts',
    'arrows-logins: src/logins/up.ts',
    'arrows-operations: src/operations/system.ts',
    'arrows-operations: src/operations/up.ts',
    'arrows-policy: src/policy/sibling.ts',
    'arrows-profiles: src/profiles/compat.ts',
    'arrows-profiles: src/profiles/up.ts',
    'arrows-providers: src/providers/sibling.ts',
    'arrows-resolver: src/resolver/compose.ts',
    'arrows-storage: src/storage/sibling.ts',
    'arrows-surfaces-cli: src/surfaces/cli/compat.ts',
    'arrows-surfaces: src/surfaces/gateway/system.ts',
    'arrows-system: src/system/up.ts',
    'arrows-transport: src/transport/up.ts',
    'arrows-vault: src/vault/up.ts',
    'compat-stays-apart: src/entries/compat.ts',
    'entries-stand-above: src/above.ts',
    'known-folder: src/elsewhere/new.ts',
    'no-circles: src/oauth/types.ts',
    'no-dev-dependencies: src/storage/dev.ts',
    'not-to-tests: src/oauth/helper.ts',
    'not-to-unresolvable: src/oauth/lost.ts',
    'pure-layers: src/policy/file.ts',
    'pure-layers: src/policy/package.ts',
    'surfaces-stand-alone: src/surfaces/cli/other.ts',
    'system-is-handed-in: src/other.ts',
    'testing-stays-apart: src/index.ts',
  ])
})

test('the linter fires on what it forbids, and on nothing else', async () => {
  const impure = [
    /* 1 */ 'export const a = (): number => Date.now()',
    /* 2 */ 'export const b: () => number = Math.random',
    /* 3 */ 'export const c = (): Date => new Date()',
    /* 4 */ 'export const d = (now: Date = new Date()): Date => now',
    /* 5 */ 'export const e = (now?: Date): Date => now ?? new Date()',
    /* 6 */ 'export const f: Date = new Date(0)',
    /* 7 */ 'export const g: unknown = process.env.HOME',
    /* 8 */ 'export const h = (): number => performance.now()',
    /* 9 */ 'export const i = (): unknown => setTimeout(() => undefined, 1)',
    '',
  ].join('\n')
  const config = JSON.parse(readFileSync(path.join(ROOT, 'biome.json'), 'utf8')) as Record<string, unknown>
  const fixture = new Fixture({
    'biome.json': JSON.stringify({ ...config, vcs: { enabled: false } }),
    'src/policy/impure.ts': impure,
    'src/policy/impure.test.ts': impure,
    'src/oauth/impure.ts': impure,
    'src/oauth/one.ts': "import { two } from './two.js'\n\nexport const one = (): unknown => two\n",
    'src/oauth/two.ts': "import { one } from './one.js'\n\nexport const two = (): unknown => one\n",
    'src/oauth/types.ts': "import type { uses } from './uses.js'\n\nexport type Uses = typeof uses\n",
    'src/oauth/uses.ts':
      "import type { Uses } from './types.js'\n\nexport const uses = (given: Uses): unknown => given\n",
    'src/oauth/loose.ts': [
      'const work = async (): Promise<number> => 1',
      'export function careless(list: number[]): number {',
      '  work()',
      '  console.log(list)',
      '  if (work()) return 1',
      '  return list[0]!',
      '}',
      'export const vague: any = 1',
      'export default careless',
      '',
    ].join('\n'),
  })
  fixture.copy('scripts/pure.grit')
  fixture.linkPackages()
  const { output } = await fixture.node([
    bin('@biomejs/biome/bin/biome'),
    ...['lint', '--reporter=github', '--max-diagnostics=200', 'src'],
  ])
  const fired = [...output.matchAll(/title=([^,]+),file=[^,]*?(src\/[^,]+),line=(\d+)/g)].map(
    ([, rule, file, line]) => `${file}:${line} ${rule}`,
  )
  expect([...new Set(fired)].sort()).toEqual([
    'src/oauth/loose.ts:3 lint/nursery/noFloatingPromises',
    'src/oauth/loose.ts:4 lint/suspicious/noConsole',
    'src/oauth/loose.ts:5 lint/nursery/noMisusedPromises',
    'src/oauth/loose.ts:6 lint/style/noNonNullAssertion',
    'src/oauth/loose.ts:8 lint/suspicious/noExplicitAny',
    'src/oauth/loose.ts:9 lint/style/noDefaultExport',
    'src/oauth/one.ts:1 lint/suspicious/noImportCycles',
    'src/oauth/two.ts:1 lint/suspicious/noImportCycles',
    'src/policy/impure.ts:1 plugin',
    'src/policy/impure.ts:2 plugin',
    'src/policy/impure.ts:3 plugin',
    'src/policy/impure.ts:7 lint/style/noRestrictedGlobals',
    'src/policy/impure.ts:8 lint/style/noRestrictedGlobals',
    'src/policy/impure.ts:9 lint/style/noRestrictedGlobals',
  ])
})

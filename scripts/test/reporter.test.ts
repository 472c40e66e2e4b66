import path from 'node:path'
import { expect, test } from 'vitest'
import { Fixture, ROOT } from './fixture.js'

async function lastLine(files: Record<string, string>): Promise<[number | null, string | undefined]> {
  const fixture = new Fixture({
    ...files,
    'package.json': '{"type":"module"}',
    'vitest.config.ts': `import { ClosingLineReporter } from './scripts/closing-line-reporter.js'
export default { test: { reporters: ['default', new ClosingLineReporter()] } }`,
  })
  fixture.copy('scripts/closing-line-reporter.ts')
  fixture.linkPackages()
  const env = { CI: 'true', VITEST: undefined, VITEST_POOL_ID: undefined, VITEST_WORKER_ID: undefined }
  const { code, output } = await fixture.node([path.join(ROOT, 'node_modules/vitest/vitest.mjs'), 'run'], {
    ...env,
    NODE_ENV: undefined,
  })
  return [code, output.trimEnd().split('\n').at(-1)]
}

test('counts what passed, failed and was skipped, on the last line', async () => {
  const passing = "import { test } from 'vitest'\ntest('a', () => {})\ntest('b', () => {})\n"
  expect(await lastLine({ 'a.test.ts': passing })).toEqual([0, '2 passed, 0 failed'])
  const mixed = `${passing}test.skip('c', () => {})\ntest.todo('d')\ntest('e', () => { throw new Error('x') })\n`
  expect(await lastLine({ 'a.test.ts': mixed })).toEqual([1, '2 passed, 1 failed, 2 skipped'])
})

test('never says that nothing failed when something outside the tests did', async () => {
  const passing = "import { test } from 'vitest'\ntest('a', () => {})\n"
  expect(await lastLine({ 'a.test.ts': passing, 'b.test.ts': "throw new Error('x')" })).toEqual([
    1,
    '1 passed, 1 failed',
  ])
  const hook =
    "import { beforeAll, describe, test } from 'vitest'\ndescribe('s', () => { beforeAll(() => { throw new Error('x') })\ntest('b', () => {}) })\n"
  expect(await lastLine({ 'a.test.ts': passing, 'b.test.ts': hook })).toEqual([
    1,
    '1 passed, 1 failed, 1 skipped',
  ])
  const unhandled = `${passing}test('b', () => { void Promise.reject(new Error('x')) })\n`
  expect(await lastLine({ 'a.test.ts': unhandled })).toEqual([1, '2 passed, 1 failed'])
})

// Runs the coding agents that are installed under KEYMUX_AGENTS (default ~/.cache/keymux-agents, a folder of
// node_modules for each) against a scripted provider, in a network namespace with loopback alone where the
// system allows one. `--agent NAME,…` and `--scenario NAME,…` choose, `--record` writes the fixtures anew.
import { spawnSync } from 'node:child_process'
import { parseArgs } from 'node:util'

const { values } = parseArgs({
  options: { agent: { type: 'string' }, scenario: { type: 'string' }, record: { type: 'boolean' } },
})
const env = {
  ...process.env,
  ...(values.agent === undefined ? {} : { TEST_AGENT: values.agent }),
  ...(values.scenario === undefined ? {} : { TEST_SCENARIO: values.scenario }),
  ...(values.record === true ? { TEST_RECORD: '1' } : {}),
}
const vitest = ['node_modules/vitest/vitest.mjs', 'run', '--config', 'test/agents/vitest.config.ts']
const loopback = 'ip link set lo up 2>/dev/null || exit 99; exec "$@"'

const isolated = [['-n'], ['-rn']].find((flags) => run('unshare', flags, ['true']) === 0)
if (isolated === undefined) {
  console.log('no network namespace can be made here: the agents may reach the network')
}
process.exitCode =
  isolated === undefined
    ? (spawnSync(process.execPath, vitest, { stdio: 'inherit', env }).status ?? 1)
    : run('unshare', isolated, [process.execPath, ...vitest], 'inherit')
if (values.record === true) {
  const format = ['node_modules/@biomejs/biome/bin/biome', 'format', '--write', 'test/agents/fixtures']
  spawnSync(process.execPath, format, { stdio: 'ignore' })
}

function run(command, flags, line, stdio = 'ignore') {
  const args = [...flags, 'sh', '-c', loopback, 'sh', ...line]
  return spawnSync(command, args, { stdio, env }).status ?? 1
}

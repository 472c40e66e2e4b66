import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { RECIPES } from './catalogue.js'
import type { ProgramFacts } from './recognise.js'
import { recognise } from './recognise.js'

const FILES: Readonly<Record<string, ProgramFacts>> = {
  cl: { names: ['cl', 'claude', 'claude.exe'], packages: [] },
  my: { names: ['my', 'cli.js'], packages: ['@openai/codex'] },
  './run.js': { names: ['run.js'], packages: ['@google/gemini-cli'] },
  './own.js': { names: ['own.js'], packages: ['own'] },
  './wrap': { names: ['wrap'], packages: [], passesOnTo: ['exec', 'codex', '--profile', 'x', '$@'] },
  './shim': { names: ['shim'], packages: ['opencode-ai'] },
  './circle': { names: ['circle'], packages: [], passesOnTo: ['./circle', '$@'] },
  '/opt/pi': { names: ['pi'], packages: ['@mariozechner/pi-coding-agent'] },
  pi: { names: ['pi'], packages: [] },
}
const lookUp = (program: string): ProgramFacts | undefined =>
  Object.hasOwn(FILES, program) ? FILES[program] : undefined

function seen(line: readonly string[]): string | undefined {
  const found = recognise(line, RECIPES, lookUp)
  return found === undefined ? undefined : `${found.recipe.name}@${found.at ?? 'nowhere'}`
}

describe('an agent is recognised', () => {
  it.each([
    ['claude', 'claude-code@1'],
    ['/usr/local/bin/claude -p hello', 'claude-code@1'],
    ['C:\\Users\\me\\bin\\Claude.EXE', 'claude-code@1'],
    ['cl -p hello', 'claude-code@1'],
    ['my exec hello', 'codex@1'],
    ['./wrap exec hello', 'codex@1'],
    ['./shim run', 'opencode@1'],
    ['/opt/pi -p hello', 'pi@1'],
    ['node ./run.js -p hello', 'gemini-cli@2'],
    ['node --no-warnings -r ./hook.js ./run.js', 'gemini-cli@5'],
    ['bun ./run.js', 'gemini-cli@2'],
    ['npx codex exec hello', 'codex@2'],
    ['npx -y @openai/codex@latest exec', 'codex@3'],
    ['npx --yes -p @openai/codex codex exec', 'codex@5'],
    ['npm exec -- @google/gemini-cli@0.61.0 -p hello', 'gemini-cli@4'],
    ['npm --loglevel error x gemini', 'gemini-cli@5'],
    ['pnpm dlx opencode-ai run', 'opencode@3'],
    ['pnpm exec qwen', 'qwen-code@3'],
    ['yarn dlx @qwen-code/qwen-code', 'qwen-code@3'],
    ['bunx @mariozechner/pi-coding-agent@0.73.1 -p x', 'pi@2'],
    ['bun x @anthropic-ai/claude-code', 'claude-code@3'],
    ['deno run -A npm:@openai/codex@1 exec', 'codex@4'],
    ['uvx --from aider-chat aider', 'aider@4'],
    ['pipx run aider-chat', 'aider@3'],
    ['python3 -m aider --model x', 'aider@3'],
    ['env A=1 -u B C=2 claude -p x', 'claude-code@6'],
    ['timeout -k 5 90 claude', 'claude-code@5'],
    ['nice -n 10 nohup npx codex', 'codex@6'],
    ['mise exec -- claude', 'claude-code@4'],
    ['direnv exec . codex', 'codex@4'],
    ['op run --env-file=x -- codex', 'codex@5'],
  ])('%s', (line, expected) => {
    expect(seen(line.split(' '))).toBe(expected)
  })

  it.each([
    [['sh', '-c', 'claude -p "a; b"'], 'claude-code@nowhere'],
    [['bash', '-lc', "A='1 2' exec npx codex exec"], 'codex@nowhere'],
    [['npx', '-c', 'gemini -p x'], 'gemini-cli@nowhere'],
    [['env', '-S', 'A=1 claude -p'], 'claude-code@nowhere'],
    [['sh', './wrap', 'x'], 'codex@2'],
  ])('inside %j', (line, expected) => {
    expect(seen(line)).toBe(expected)
  })

  it.each([
    [[]],
    [['']],
    [['--']],
    [['pi', '-p', 'x']],
    [['node', '-e', 'claude']],
    [['node', './own.js', 'claude']],
    [['npm', 'run', 'claude']],
    [['npx', 'prettier', 'claude']],
    [['cat', 'claude']],
    [['timeout', '90']],
    [['env', 'A=1']],
    [['sh', '-c', '']],
    [['sh', '-c', '$(claude)']],
    [['sh', '-c', 'echo claude']],
    [['./circle']],
    [['claudette']],
  ])('and nothing in %j', (line) => {
    expect(seen(line)).toBeUndefined()
  })

  it('behind any pile of launchers, and arguments go behind its name', () => {
    const launcher = fc.constantFrom(
      ['env', 'A=b'],
      ['env', '-i', 'A=b', 'C=d'],
      ['nice'],
      ['nice', '-n', '3'],
      ['nohup'],
      ['setsid', '--wait'],
      ['timeout', '--kill-after=5', '1h'],
      ['stdbuf', '-oL'],
      ['volta', 'run'],
      ['fnm', 'exec', '--using', '22'],
    )
    const agent = fc.constantFrom(
      ['claude'],
      ['/some/where/claude'],
      ['npx', '-y', '@anthropic-ai/claude-code@2'],
      ['pnpm', 'dlx', '@anthropic-ai/claude-code'],
      ['bunx', 'claude'],
      ['cl'],
    )
    fc.assert(
      fc.property(
        fc.array(launcher, { maxLength: 6 }),
        agent,
        fc.array(fc.string()),
        (launchers, start, args) => {
          const line = [...launchers.flat(), ...start]
          expect(seen([...line, ...args])).toBe(`claude-code@${line.length}`)
        },
      ),
    )
  })

  it('never fails, whatever the words', () => {
    const word = fc.oneof(
      fc.string(),
      fc.constantFrom(
        'env',
        'sh',
        '-c',
        'npx',
        '-S',
        'node',
        '--',
        'claude',
        './wrap',
        './circle',
        'A=1',
        '-m',
      ),
    )
    fc.assert(
      fc.property(fc.array(word), (line) => {
        const found = recognise(line, RECIPES, lookUp)
        expect(found?.at ?? 0).toBeLessThanOrEqual(line.length)
      }),
    )
  })
})

import type { ImportNote } from '../../../interchange/draft.js'
import { type ImportReport, settle } from '../../../operations/import.js'
import type { CliContext } from '../context.js'
import { findSource, SOURCES } from '../import-sources.js'
import type { CommandSpec } from '../spec.js'
import { type Cell, renderTable } from '../table.js'

/** `keymux import`: credentials from elsewhere. */
export const import_: CommandSpec = {
  description: `Sources: ${SOURCES.join(', ')}. PATH may be left out where the tool has a usual place, and may be - for standard input.

The source is never changed. What is in the vault already stays as it is, so the same import twice changes nothing the second time. A login of another tool arrives as a token that works until it expires, for two programs that renew one login end it for each other; with --take-over its refresh token comes along, and the other tool has to log in again. That is refused where keymux knows no token endpoint or no client id. A credential that would be sent to another address than its provider's, or be read from a file, a variable or a command, fails until you have looked at it and say --trust-endpoints; so does a provider. Exits 1 when something could not be imported.`,
  arguments: [
    { name: 'SOURCE', summary: 'where the credentials come from', completes: SOURCES },
    { name: 'PATH', summary: 'the file', optional: true, completes: 'file' },
  ],
  options: [
    { flags: '--take-over', summary: "take other tools' logins over, refresh tokens included" },
    { flags: '--client-id <ID>', summary: 'with --take-over, the OAuth client that the login was made with' },
    {
      flags: '--client-secret-ref <REF>',
      summary: "where that client's secret is kept, if it has one: vault://NAME, env://VAR or file:///path",
    },
    { flags: '--name <NAME>', summary: 'the name for the account, where there is one per provider' },
    {
      flags: '--trust-endpoints',
      summary: 'also take what the source says of addresses, files, variables and commands',
    },
    { flags: '--replace', summary: 'overwrite what is in the vault with other contents' },
    {
      flags: '--source-passphrase-fd <N>',
      summary: 'read the passphrase of the file from file descriptor N',
    },
    {
      flags: '--identity <PATH>',
      summary: 'the age identity that opens the file',
      completes: 'file',
    },
  ],
  examples: [
    { line: 'keymux import env', does: 'takes the keys in your environment variables' },
    { line: 'keymux import claude-code', does: "borrows Claude Code's access token until it expires" },
    {
      line: 'keymux import gemini-cli --take-over --client-id ID',
      does: 'takes over the login of Gemini CLI',
    },
    { line: 'keymux import devclaw ~/.devclaw.vault', does: 'profiles, secrets, usage and all' },
    { line: 'keymux import age backup.age', does: 'reads what keymux export wrote' },
    {
      line: 'keymux import age backup.age --trust-endpoints',
      does: 'your own backup whole: addresses, references, providers',
    },
  ],
  async run(context, input) {
    const { signal, host } = context
    const source = await findSource(context, input, input.argument('SOURCE'), input.optionalArgument('PATH'))
    const handle = await context.open()
    const arrivals = await source.read(handle.providers)
    const report = await settle(handle, arrivals, {
      replace: input.flag('replace'),
      trustEndpoints: input.flag('trust-endpoints'),
      now: host.clock.now(),
      signal,
    })
    print(report, source.shown, context)
    for (const note of report.notes) context.output.note(note)
    return report.failed.length === 0 ? undefined : 1
  },
}

function print(report: ImportReport, shown: string, { output, style }: CliContext): void {
  const { imported, skipped, failed, notes } = report
  output.result({ imported, skipped, failed, ...(notes.length === 0 ? {} : { notes }) }, () => {
    const rows: Cell[][] = [
      ...imported.map((id): Cell[] => [{ text: '✓', paint: style.good }, id, 'imported']),
      ...skipped.map(({ id, reason }: ImportNote): Cell[] => [{ text: '-', paint: style.dim }, id, reason]),
      ...failed.map(({ id, reason }: ImportNote): Cell[] => [{ text: '✗', paint: style.bad }, id, reason]),
    ]
    if (rows.length === 0) return `There is nothing to import in ${shown}.`
    const columns = [
      { header: '', keep: true },
      { header: '', keep: true },
      { header: '', keep: true },
    ]
    const counts = `${imported.length} imported, ${skipped.length} skipped, ${failed.length} failed`
    return `${renderTable(columns, rows, { width: output.width })}\n\n${counts}`
  })
}

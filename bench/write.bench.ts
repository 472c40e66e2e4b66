import { join } from 'node:path'
import { DatabaseSync, type DatabaseSyncInstance } from '@photostructure/sqlite'
import { fillBenchVault, median, openBenchVault, report, SIZES, withFolder } from './support.js'

const CALLS = 300

/** What every durable write pays: one row of 400 bytes in a database of its own, on the same disk. */
class BareCommits {
  readonly #database: DatabaseSyncInstance
  readonly #put: ReturnType<DatabaseSyncInstance['prepare']>
  readonly #row = new Uint8Array(400)

  constructor(folder: string) {
    this.#database = new DatabaseSync(join(folder, 'bare.db'))
    this.#database.exec(
      'PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE t (id INTEGER PRIMARY KEY, b BLOB)',
    )
    this.#put = this.#database.prepare('INSERT OR REPLACE INTO t VALUES (1, ?)')
  }

  /** One commit, in milliseconds. */
  time(): number {
    const begin = performance.now()
    this.#put.run(this.#row)
    return performance.now() - begin
  }

  close(): void {
    this.#database.close()
  }
}

for (const size of SIZES) {
  await withFolder(async (folder) => {
    await fillBenchVault(folder, size)
    const vault = await openBenchVault(folder)
    const bare = new BareCommits(folder)
    const profile = await vault.profiles.get('openai:account-3')
    if (profile === undefined) throw new Error('the vault is empty')
    const commits: number[] = []
    const saves: number[] = []
    const failures: number[] = []
    // In turns, so that a disk that slows down slows all three down.
    for (let call = 0; call < CALLS; call += 1) {
      commits.push(bare.time())
      const first = performance.now()
      await vault.profiles.save({ ...profile, priority: call })
      const second = performance.now()
      await vault.profiles.markFailure(`openai:account-${call % size}`, 'rate_limit', { retryAfterMs: 1_000 })
      saves.push(second - first)
      failures.push(performance.now() - second)
    }
    await vault.close()
    bare.close()
    const [commit, save, failure] = [median(commits), median(saves), median(failures)]
    report({ what: `bare commit beside ${size} profiles`, value: commit, unit: 'ms' })
    report({ what: `save one of ${size}, durable`, value: save, unit: 'ms' })
    report({ what: `save one of ${size}, against a bare commit`, value: save / commit, unit: '×', target: 2 })
    report({ what: `mark a failure, ${size} profiles, durable`, value: failure, unit: 'ms' })
    report({
      what: `mark a failure, ${size} profiles, against a bare commit`,
      value: failure / commit,
      unit: '×',
      target: 1.5,
    })
  })
}

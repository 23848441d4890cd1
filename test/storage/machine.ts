import type { Disk } from '../../src/storage/disk.ts'
import { Dice } from '../sim/engine/dice.ts'
import { SimulatedDisk, soundDisk } from '../sim/engine/disk.ts'
import type { DiskTemper } from '../sim/engine/disk.ts'
import { Events } from '../sim/engine/events.ts'
import { Process } from '../sim/engine/process.ts'

/** A simulated machine whose processes can be cut off, with its power or without. */
export class Machine {
  readonly events = new Events()
  readonly temper: DiskTemper
  readonly disk: SimulatedDisk
  #process = new Process('p', this.events)

  constructor(seed: number) {
    this.temper = soundDisk(1, 10)
    this.disk = new SimulatedDisk(this.events, Dice.of(seed, 'disk'), this.temper, {
      written() {},
      did() {},
      crashed: () => this.#process.kill(),
    })
  }

  get process(): Process {
    return this.#process
  }

  /** Runs until the work is done, or the process is dead. Undefined: it is dead. */
  run<T>(work: (disk: Disk, process: Process) => Promise<T>): T | undefined {
    let done: { value: T } | { error: unknown } | undefined
    work(this.disk.mount(this.#process), this.#process).then(
      (value) => (done = { value }),
      (error: unknown) => (done = { error }),
    )
    while (done === undefined && this.#process.alive) if (!this.events.next(Infinity)) break
    if (done === undefined) return undefined
    if ('error' in done) throw done.error
    return done.value
  }

  /** Ends the process, and takes the machine's power where it is told to. */
  end(power: boolean): void {
    this.#process.kill()
    this.disk.crash(power)
    this.temper.crashIn = undefined
    this.#process = new Process('p', this.events)
  }
}

import type { TestCluster, TestNode } from '../cluster/support/cluster.ts'
import type { Dice } from '../sim/engine/dice.ts'

/** What a round of kills is, how likely, and how many kills it makes. */
const ROUNDS = Object.freeze([
  { name: 'one', weight: 10 },
  { name: 'starting', weight: 6 },
  { name: 'two', weight: 4 },
  { name: 'all', weight: 2 },
  { name: 'rolling', weight: 3 },
] as const)

export type RoundName = (typeof ROUNDS)[number]['name']

/** kill -9 of the nodes of a cluster, at moments that a seed decides about. It notices nodes that end by themselves. */
export class Killer {
  readonly #cluster: TestCluster
  readonly #dice: Dice
  /** Kills by kind of round. */
  readonly kills: Record<RoundName, number> = { one: 0, starting: 0, two: 0, all: 0, rolling: 0 }
  /** Nodes that ended though nobody killed them, in words. */
  readonly deaths: string[] = []

  constructor(cluster: TestCluster, dice: Dice) {
    this.#cluster = cluster
    this.#dice = dice
  }

  get total(): number {
    return Object.values(this.kills).reduce((sum, count) => sum + count, 0)
  }

  /** Starts a node, and from then on expects that only a kill ends it. */
  start(node: TestNode): void {
    if (node.running) return
    node.start()
    void node.ended.then(({ code, signal }) => {
      if (signal === 'SIGKILL') return
      this.deaths.push(`${node.id} ended with code ${code}, signal ${signal}:\n${node.log.slice(-3000)}`)
    })
  }

  /** One round of kills and restarts. Resolves when all nodes were started again, not when they are up. */
  async round(): Promise<void> {
    const { name } = this.#dice.weighted(ROUNDS, ({ weight }) => weight)
    const nodes = this.#dice.shuffled(this.#cluster.nodes)
    const [first, second] = nodes as [TestNode, TestNode]
    switch (name) {
      case 'one':
        await this.#killAndRestart(name, first)
        break
      case 'starting':
        // Again and again, at any moment of its start.
        for (let again = 1 + this.#dice.below(3); again >= 0; again--) {
          await this.#killAndRestart(name, first)
          await this.#pass(900)
        }
        break
      case 'two':
        await Promise.all([first, second].map((node) => this.#killAndRestart(name, node)))
        break
      case 'all':
        await Promise.all(nodes.map((node) => this.#killAndRestart(name, node)))
        break
      case 'rolling':
        for (const node of nodes) {
          await this.#killAndRestart(name, node)
          await this.#pass(500)
        }
    }
  }

  async #killAndRestart(round: RoundName, node: TestNode): Promise<void> {
    if (node.running) {
      this.kills[round]++
      await node.kill()
    }
    await this.#pass(250)
    this.start(node)
  }

  /** Lets time pass: mostly little, at most so much. */
  async #pass(mostMs: number): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, mostMs * this.#dice.unit() ** 2))
  }
}

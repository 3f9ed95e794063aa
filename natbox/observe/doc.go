// Package observe is what looks at traffic on its way without changing it: an
// inspector that searches it for patterns, a classifier, flow accounting and a probe.
// An instrument is shown IP packets, fragments or whole, with the time at which they
// pass, and notes what it can make of them. It knows no keys: what IPsec hides from
// it is what it would hide from any device on the path.
//
// All of them are bounded, whatever they are shown, and none of them panics on it.
package observe

import "time"

// Instrument is one observer.
type Instrument interface {
	// Observe is shown an IP packet, only to be read, and during the call alone. now
	// never goes back.
	Observe(now time.Duration, packet []byte)

	// Notes are what it has noted until now.
	Notes(now time.Duration) Notes
}

// Notes are what an instrument has noted. Each kind of instrument fills in its own part.
type Notes struct {
	Counts []Named // by kind of packet, class or protocol, in a fixed order

	Ports   []PortCount // of a probe: of TCP and UDP by the port of the service
	Records []Record    // of accounting: what ended and what goes on, in the order of their beginning

	// Of a queue: what it dropped, by class, and what went, by queue.
	Lost   []Named
	Queues []Queued

	// Of an inspector.
	Read                   Count    // packets whose payload it could read
	Unsure                 Count    // ESP of which it does not know yet whether it is encrypted, and fragments that wait for others
	Opaque                 Count    // packets whose payload it could not read
	Alerts                 []Alerts // by pattern, in the order of the configuration
	NullFlows, SecretFlows uint64   // flows of ESP without encryption, and of ESP that it found encrypted
	Dropped                uint64   // what its bounds made it give up: fragments, and bytes of streams
}

// Count is an amount of traffic.
type Count struct {
	Packets uint64
	Bytes   uint64 // of the IP packets, headers included
}

func (c *Count) add(n int) { c.Packets, c.Bytes = c.Packets+1, c.Bytes+uint64(n) }

func (c Count) plus(d Count) Count { return Count{c.Packets + d.Packets, c.Bytes + d.Bytes} }

func (c Count) sub(d Count) Count { return Count{c.Packets - d.Packets, c.Bytes - d.Bytes} }

// Named is an amount of traffic of one kind.
type Named struct {
	Name string
	Count
}

// Queued is the traffic of one queue of many.
type Queued struct {
	Number int
	Count
}

// PortCount is the traffic of one service.
type PortCount struct {
	Service
	Count
}

// Alerts is how often a pattern was found.
type Alerts struct {
	Pattern string
	Found   uint64
}

// Total is all traffic that was counted.
func (n Notes) Total() (c Count) {
	for _, k := range n.Counts {
		c.Packets, c.Bytes = c.Packets+k.Packets, c.Bytes+k.Bytes
	}
	return c
}

// Since is what was noted after earlier notes of the same instrument; of what is unsure,
// how much there is.
func (n Notes) Since(before Notes) Notes {
	counts := map[string]Count{}
	for _, c := range before.Counts {
		counts[c.Name] = c.Count
	}
	since := n
	since.Counts, since.Alerts = nil, nil
	for _, c := range n.Counts {
		since.Counts = append(since.Counts, Named{c.Name, c.sub(counts[c.Name])})
	}
	for i, a := range n.Alerts {
		if i < len(before.Alerts) { // else there are no notes from before
			a.Found -= before.Alerts[i].Found
		}
		since.Alerts = append(since.Alerts, a)
	}
	since.Ports, since.Records = nil, nil
	ports := map[Service]Count{}
	for _, p := range before.Ports {
		ports[p.Service] = p.Count
	}
	for _, p := range n.Ports {
		p.Count = p.sub(ports[p.Service])
		since.Ports = append(since.Ports, p)
	}
	since.Lost, since.Queues = nil, nil
	for i, l := range n.Lost {
		if i < len(before.Lost) {
			l.Count = l.sub(before.Lost[i].Count)
		}
		since.Lost = append(since.Lost, l)
	}
	queues := map[int]Count{}
	for _, q := range before.Queues {
		queues[q.Number] = q.Count
	}
	for _, q := range n.Queues {
		if q.Count = q.sub(queues[q.Number]); q.Packets > 0 {
			since.Queues = append(since.Queues, q)
		}
	}
	since.Records = recordsSince(n.Records, before.Records)
	since.Read, since.Opaque = n.Read.sub(before.Read), n.Opaque.sub(before.Opaque)
	since.Dropped -= before.Dropped
	since.NullFlows -= before.NullFlows
	since.SecretFlows -= before.SecretFlows
	return since
}

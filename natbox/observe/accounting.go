package observe

import (
	"cmp"
	"slices"
	"time"

	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/internal/trace"
)

// AccountingConfig describes flow accounting. Zero fields take the default.
type AccountingConfig struct {
	Name     string
	Active   time.Duration // a record of a flow that goes on ends after this; 0: 30m
	Inactive time.Duration // a record ends when nothing came for so long; 0: 15s
	Cache    int           // records at one time; the one that was longest silent ends for another; 0: 4096

	Record func(trace.Body) // nil: nothing is recorded
}

// Accounting keeps records of flows as NetFlow does: one for each 5-tuple and direction, which
// ends by inactivity, by age, with the FIN or RST of its connection, or for want of room
// (RFC 3954, Section 3.2). What it ended is exported: it stays in Notes, and is recorded.
//
// Timeouts are looked at when a packet comes and when Notes are asked for, so that a record
// may be exported later than it ended. What ended is the same.
type Accounting struct {
	c        AccountingConfig
	cache    lru[ipsec.Flow, Record]
	exported []Record
	lost     uint64 // exported beyond what is kept
}

// Record is what accounting has of a flow.
type Record struct {
	Flow ipsec.Flow
	Count
	First, Last time.Duration
	End         End
}

// End is why a record ended.
type End uint8

// Why records end.
const (
	Going    End = iota // it has not
	Inactive            // nothing came any more
	Aged                // it went on for too long
	Closed              // FIN or RST
	Evicted             // its place was needed
)

func (e End) String() string {
	return [...]string{"", "inactive", "active timeout", "closed", "cache full"}[e]
}

// maxExported bounds the records that are kept.
const maxExported = 100_000

// NewAccounting makes it.
func NewAccounting(c AccountingConfig) *Accounting {
	c.Active, c.Inactive, c.Cache = cmp.Or(c.Active, 30*time.Minute), cmp.Or(c.Inactive, 15*time.Second), cmp.Or(c.Cache, 4096)
	return &Accounting{c: c, cache: newLRU[ipsec.Flow, Record](c.Cache)}
}

// Observe implements Instrument.
func (a *Accounting) Observe(now time.Duration, b []byte) {
	p, ok := parse(b)
	if !ok {
		return
	}
	a.expire(now)
	f := p.flow()
	f.Fragment = false // it belongs to the record without ports
	r, gone := a.cache.get(f)
	if gone != nil {
		a.export(gone, Evicted)
	}
	if r.Packets > 0 && now-r.First >= a.c.Active {
		a.export(r, Aged)
		*r = Record{}
	}
	if r.Packets == 0 {
		r.Flow, r.First = f, now
	}
	r.add(p.length)
	r.Last = now
	const fin, rst = 1 << 0, 1 << 2
	if p.proto == ipsec.ProtoTCP && p.offset == 0 && len(p.body) >= tcpHeader && p.body[13]&(fin|rst) != 0 {
		a.export(a.cache.drop(f), Closed)
	}
}

// expire ends records of which nothing came for too long: the cache has those at its end.
func (a *Accounting) expire(now time.Duration) {
	for r := a.cache.oldest(); r != nil && now-r.Last >= a.c.Inactive; r = a.cache.oldest() {
		a.export(a.cache.drop(r.Flow), Inactive)
	}
}

func (a *Accounting) export(r *Record, why End) {
	r.End = why
	if len(a.exported) == maxExported {
		a.lost++
	} else {
		a.exported = append(a.exported, *r)
	}
	if a.c.Record != nil {
		a.c.Record(trace.ObserverFlow{
			Observer: a.c.Name, Flow: r.Flow.String(), Packets: r.Packets, Bytes: r.Bytes, First: r.First, Last: r.Last, End: why.String(),
		})
	}
}

// Notes implements Instrument.
func (a *Accounting) Notes(now time.Duration) (n Notes) {
	a.expire(now)
	n.Dropped = a.lost
	n.Records = slices.Clone(a.exported)
	a.cache.each(func(r *Record) { n.Records = append(n.Records, *r) })
	slices.SortStableFunc(n.Records, func(a, b Record) int { return cmp.Or(cmp.Compare(a.First, b.First), compareFlows(a.Flow, b.Flow)) })
	var total kinds
	for i := range n.Records {
		r := &n.Records[i]
		k := &total[kindOf(&r.Flow)]
		k.Packets, k.Bytes = k.Packets+r.Packets, k.Bytes+r.Bytes
	}
	n.Counts = total.named()
	return n
}

func compareFlows(a, b ipsec.Flow) int {
	return cmp.Or(a.Src.Compare(b.Src), a.Dst.Compare(b.Dst), cmp.Compare(a.Proto, b.Proto), cmp.Compare(a.SrcPort, b.SrcPort), cmp.Compare(a.DstPort, b.DstPort))
}

// recordsSince are the parts of records that came after earlier ones of the same accounting.
func recordsSince(now, before []Record) (since []Record) {
	type key struct {
		flow  ipsec.Flow
		first time.Duration
	}
	known := map[key]Count{}
	for i := range before {
		r := &before[i]
		c := known[key{r.Flow, r.First}] // several, if a connection was closed at once and begun again
		known[key{r.Flow, r.First}] = Count{c.Packets + r.Packets, c.Bytes + r.Bytes}
	}
	for _, r := range now {
		k := key{r.Flow, r.First}
		old := known[k]
		if old.Packets >= r.Packets { // nothing new of it
			known[k] = old.sub(r.Count)
			continue
		}
		r.Count, known[k] = r.sub(old), Count{}
		since = append(since, r)
	}
	return since
}

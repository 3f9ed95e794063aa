package reports

import (
	"fmt"
	"strings"

	"github.com/ipseclab/ipseclab/internal/result"
)

// maxSAs is how many SAs the report lists.
const maxSAs = 400

// saRow is one SA, which exists on the host that sends with it and on the one that receives.
type saRow struct {
	SPI, Protocol string
	Src, Dst      string
	Mode, Suite   string
	Selector      string
	Lifetime      string
	Sender, Taker saEnd
	Lost          uint64 // packets that were sent and not received
}

// saEnd is an SA as one of its two hosts had it.
type saEnd struct {
	Known          bool
	Node           string
	Rule           string
	Added, Removed string // "" removed: still there at the end
	Reason         string
	Packets        uint64
	Bytes          string
	Initiator      bool
}

// saTable lists the SAs in the order in which they came.
type saTable struct {
	Rows    []saRow
	Total   int // SAs, each counted once
	Omitted int
}

// pairSAs joins the two records of each SA.
func pairSAs(list []result.SA) saTable {
	type key struct {
		protocol string
		spi      uint32
		dst      string
		inbound  bool
	}
	var t saTable
	open := map[key]int{} // a row that lacks that end
	for _, sa := range list {
		inbound := sa.Direction == "inbound"
		k := key{sa.Protocol, sa.SPI, sa.Dst, inbound}
		if sa.DstPort != 0 {
			k.dst = "" // a NAT is on the path, and the ends call each other by other addresses
		}
		i, ok := open[k]
		if ok {
			delete(open, k)
		} else {
			i = len(t.Rows)
			t.Rows = append(t.Rows, newSARow(sa))
			k.inbound = !inbound
			open[k] = i
		}
		end := newSAEnd(sa)
		if r := &t.Rows[i]; inbound {
			r.Taker = end
		} else {
			r.Sender = end
		}
	}
	for i := range t.Rows {
		if r := &t.Rows[i]; r.Sender.Known && r.Taker.Known && r.Sender.Packets > r.Taker.Packets {
			r.Lost = r.Sender.Packets - r.Taker.Packets
		}
	}
	t.Total = len(t.Rows)
	if t.Omitted = len(t.Rows) - maxSAs; t.Omitted > 0 {
		t.Rows = t.Rows[:maxSAs]
	} else {
		t.Omitted = 0
	}
	return t
}

func newSARow(sa result.SA) saRow {
	return saRow{
		SPI: spi(sa.SPI), Protocol: sa.Protocol, Src: sa.Src, Dst: sa.Dst, Mode: sa.Mode,
		Suite: strings.Join(nonEmpty([]string{sa.Cipher, sa.Auth, numbers(sa.ESN), inUDP(sa.SrcPort, sa.DstPort)}), " "), Selector: sa.Selector, Lifetime: lifetime(sa),
	}
}

func newSAEnd(sa result.SA) saEnd {
	e := saEnd{
		Known: true, Node: sa.Node, Rule: sa.Rule, Added: clock(sa.Added), Reason: sa.Reason,
		Packets: sa.Packets, Bytes: size(sa.Bytes), Initiator: sa.Initiator,
	}
	if sa.Removed != nil {
		e.Removed = clock(*sa.Removed)
	}
	return e
}

func lifetime(sa result.SA) string {
	var parts []string
	if sa.Seconds > 0 {
		parts = append(parts, fmt.Sprintf("%d s", sa.Seconds))
	}
	if sa.Kilobytes > 0 {
		parts = append(parts, fmt.Sprintf("%d kB", sa.Kilobytes))
	}
	if parts == nil {
		return "unlimited"
	}
	return strings.Join(parts, " / ")
}

package hosts

import (
	"cmp"
	"fmt"
	"net/netip"
	"time"

	"github.com/ipseclab/ipseclab/esp"
	"github.com/ipseclab/ipseclab/internal/trace"
)

// DefaultDriverLogInterval is how often the driver writes to the System log. Windows
// has a setting for it (netsh ipsec dynamic set config ipsecloginterval); that its
// default is an hour is a choice of the lab.
const DefaultDriverLogInterval = time.Hour

// maxDriverLog bounds the entries that one interval collects; packets from further
// sources are counted in one entry for each cause, which names no source.
const maxDriverLog = 256

// driverLog collects what the driver discards, and writes it to the System log at the
// end of an interval, which begins with the first packet: one entry for each cause and
// source, with how many packets it stands for. (Windows keeps quiet unless its
// registry value EnableDiagnostics says otherwise; the lab has no switch for it.)
type driverLog struct {
	host    *Host
	entries []driverEntry // in the order of their first packets
	index   map[driverKey]int
}

type driverKey struct {
	cause esp.Cause
	from  netip.Addr
}

type driverEntry struct {
	driverKey
	count uint64
}

// discarded counts a packet.
func (l *driverLog) discarded(c esp.Cause, from netip.Addr) {
	if !l.host.world.Traced() {
		return
	}
	if l.index == nil {
		l.index = map[driverKey]int{}
		l.host.after(cmp.Or(l.host.config.DriverLogInterval, DefaultDriverLogInterval), l.write)
	}
	k := driverKey{c, from}
	i, ok := l.index[k]
	if !ok && len(l.entries) >= maxDriverLog {
		k.from = netip.Addr{}
		i, ok = l.index[k]
	}
	if !ok {
		i = len(l.entries)
		l.index[k] = i
		l.entries = append(l.entries, driverEntry{driverKey: k})
	}
	l.entries[i].count++
}

// write ends the interval.
func (l *driverLog) write() {
	for _, e := range l.entries {
		l.host.record(e.event())
	}
	l.entries, l.index = nil, nil
}

// Of the driver's events, public headers confirm the number of one: 4283, n packets
// with a bad SPI (C061). Those about clear text, hashes and syntax are some of 4284 to
// 4287, but which is which is unconfirmed: they are logged without a number. The others
// have no event of their own that a source names.
func (e driverEntry) event() trace.EventLog {
	v := trace.EventLog{Log: "System", Source: "IPSEC", Type: "Warning", Count: e.count}
	const among = "the number: one of 4284 to 4287"
	const none = "that Windows has an event for it"
	what := ""
	switch e.cause {
	case esp.BadSPI:
		v.ID, what = 4283, "with a bad Security Parameters Index"
	case esp.ClearText:
		what, v.Unconfirmed = "in the clear that should have been secured", among
	case esp.BadHash:
		what, v.Unconfirmed = "whose hash could not be authenticated", among
	case esp.BadSyntax:
		what, v.Unconfirmed = "with a bad packet syntax", among
	case esp.Replay:
		what, v.Unconfirmed = "that were replays", none
	case esp.WrongSA:
		what, v.Unconfirmed = "under a security association that is not for them", none
	case esp.ExpiredSA:
		what, v.Unconfirmed = "under a security association whose lifetime has ended", none
	}
	from := "further addresses"
	if e.from.IsValid() {
		from = e.from.String()
		v.Peer = from
	}
	v.Message = fmt.Sprintf("Received %d packet(s) %s from %s", e.count, what, from)
	return v
}

// logMode logs that the driver has entered a mode, at boot or when the policy agent
// starts or stops. Windows has events for it, 4292 to 4294 by what secondary sources
// say: which is for which mode is unconfirmed, and the number is left out.
func (h *Host) logMode(mode string) {
	h.record(trace.EventLog{
		Log: "System", Source: "IPSEC", Type: "Information", Message: "The IPSec driver has entered " + mode + " mode",
		Unconfirmed: "the number: one of 4292 to 4294, where Windows has one for the mode",
	})
}

package mux

import (
	"net/netip"
	"slices"
	"time"

	"github.com/ipseclab/ipseclab/ike"
)

// Keep-alives are the host's to send (RFC 3948, Section 4). What is said here is from when on, and until when:
// while there is a main mode or a pair of IPsec SAs between two ends.

// route is two ends between which a mapping of a NAT is kept alive.
type route struct{ local, remote netip.AddrPort }

// quiet are the routes, in the order in which they came.
type quiet struct {
	routes []route
	at     time.Time // when pairs expire that may be the last of a route; zero: there are none
}

// keepAlive begins with the route of an SA, if this side is to.
func (m *Mux) keepAlive(e *entry) {
	r, interval := route{e.sa.Local(), e.sa.Remote()}, m.config.NAT.KeepAliveInterval()
	if interval == 0 || !e.sa.KeepsAlive() || slices.Contains(m.quiet.routes, r) {
		return
	}
	m.quiet.routes = append(m.quiet.routes, r)
	m.events = append(m.events, ike.EventKeepAlive{Local: r.local, Remote: r.remote, Interval: interval})
}

// keepAliveMoved has a route lead elsewhere.
func (m *Mux) keepAliveMoved(local, from, to netip.AddrPort) {
	if i := slices.Index(m.quiet.routes, route{local, from}); i >= 0 && !slices.Contains(m.quiet.routes, route{local, to}) {
		m.quiet.routes = append(m.quiet.routes, route{local, to})
		m.events = append(m.events, ike.EventKeepAlive{Local: local, Remote: to, Interval: m.config.NAT.KeepAliveInterval()})
	}
}

// silence ends the keep-alives of routes that nothing needs any more.
func (m *Mux) silence(now time.Time) {
	if len(m.quiet.routes) == 0 {
		return
	}
	m.quiet.at = time.Time{}
	m.quiet.routes = slices.DeleteFunc(m.quiet.routes, func(r route) bool {
		needed, until := m.needs(now, r)
		if !needed {
			m.events = append(m.events, ike.EventKeepAlive{Local: r.local, Remote: r.remote})
		} else if !until.IsZero() && (m.quiet.at.IsZero() || until.Before(m.quiet.at)) {
			m.quiet.at = until
		}
		return !needed
	})
}

// needs reports whether there is anything on a route, and until when, if it is pairs alone.
func (m *Mux) needs(now time.Time, r route) (needed bool, until time.Time) {
	for _, e := range m.remotes[r.remote.Addr()] {
		if e.sa.Local() == r.local && e.sa.Remote() == r.remote && e.established != 0 && !e.sa.Gone() {
			return true, time.Time{}
		}
	}
	m.pairs.expire(now, r.remote.Addr())
	for _, p := range m.pairs.of[r.remote.Addr()] {
		if p.local == r.local && p.remote == r.remote && p.kept {
			needed = true
			if p.expires.After(until) {
				until = p.expires
			}
		}
	}
	return needed, until
}

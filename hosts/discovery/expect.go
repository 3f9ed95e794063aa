package discovery

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/ipseclab/ipseclab/natbox/nat"
)

// Expectation is what a discovery finds of a key behind a box that is known. The zero value
// is that nothing can be observed.
type Expectation struct {
	Words   []string      // one of these
	Time    time.Duration // how long something lasts, of a key that is a time
	Forever bool          // it does not end
}

func (e Expectation) String() string {
	switch {
	case e.Forever:
		return "without end"
	case e.Time > 0:
		return e.Time.String()
	case len(e.Words) == 0:
		return "not to be observed"
	}
	return strings.Join(e.Words, " or ")
}

// slack is how much the way to the servers adds to a time.
const slack = time.Second

// Fits reports whether a finding does not speak against the expectation. One that is
// unknown does not.
func (e Expectation) Fits(f Finding) bool {
	switch {
	case f.Not != "":
		return len(e.Words) != 1 || e.Words[0] != f.Not
	case f.Unknown != "":
		return true
	case f.Word != "":
		return slices.Contains(e.Words, f.Word)
	case e.Forever:
		return f.Max == 0
	case f.Max == 0: // it has not ended yet
		return e.Time > f.Min-slack
	}
	return e.Time > 0 && f.Min-slack < e.Time && e.Time <= f.Max+slack
}

// excludes reports whether nothing fits both.
func (e Expectation) excludes(o Expectation) bool {
	switch {
	case len(e.Words) > 0 && len(o.Words) > 0:
		return !slices.ContainsFunc(e.Words, func(w string) bool { return slices.Contains(o.Words, w) })
	case e.Time == 0 && !e.Forever || o.Time == 0 && !o.Forever:
		return false
	case e.Forever || o.Forever:
		return e.Forever != o.Forever && max(e.Time, o.Time) < DefaultLongest
	}
	far, near := max(e.Time, o.Time), min(e.Time, o.Time)
	return far-near > 2*slack+far/50 // as exact as Client.search is, twice
}

// expectations are by key. A key that is left out may be found to be anything.
type expectations map[string]Expectation

func (e expectations) word(key string, words ...fmt.Stringer) {
	var all []string
	for _, w := range words {
		all = append(all, w.String())
	}
	e[key] = Expectation{Words: all}
}

func (e expectations) is(key string, yes bool) { e[key] = Expectation{Words: []string{yesNo(yes)}} }

func (e expectations) lasts(key string, d time.Duration) { e[key] = Expectation{Time: d} }

func or(d, other time.Duration) time.Duration {
	if d == 0 {
		return other
	}
	return d
}

// Expect says what a discovery from inside addresses finds behind a box that is configured
// so. It is read from the settings alone, each of which says what it means; no table is asked.
func Expect(c nat.Config, inside []netip.Addr) map[string]Expectation {
	e := expectations{}
	e[KeyNAT] = Expectation{Words: []string{"yes"}}
	e.is(KeyALG, false)
	if i := slices.IndexFunc(c.Static, func(s nat.Static) bool { return s.Inside == inside[0] }); i >= 0 {
		e.static(c.Static[i], c)
		return e
	}
	e.transports(c)
	e.ports(c)
	e.tcp(c)
	e.icmp(c)
	e.carriers(c)
	e.times(c)
	e.rest(c)
	return e
}

// None is what a discovery finds where nothing is translated.
func None() map[string]Expectation {
	e := expectations{}
	e[KeyNAT] = Expectation{Words: []string{"none"}}
	return e
}

// static is of an inside host with an outside address of its own (RFC 2663, Section 4.1.1).
// What two inside hosts do to each other does not happen there.
func (e expectations) static(s nat.Static, c nat.Config) {
	e.transports(c)
	e.tcp(c)
	e.icmp(c)
	e.times(c)
	e.rest(c)
	e.word("port-assignment", nat.Preserve)
	e.word("pooling", nat.Paired)
	for _, key := range []string{"udp-mapping", "tcp-mapping", "icmp-mapping"} {
		e.word(key, nat.EndpointIndependent)
	}
	for _, key := range []string{
		"port-collision", "port-parity", KeyBlocks, "esp", "esp-keep", "esp-serial", KeyAtOnce, "ah", "ah-keep", "other-protocols", "other-keep", "ike",
	} {
		e[key] = Expectation{} // not to be observed
	}
	e.is(KeyOneToOne, !s.Filtered)
	delete(e, "silent") // who asks for an address of an inside host does not ask the box
	if s.Filtered {
		return
	}
	for _, key := range []string{"udp-filtering", "tcp-filtering", "icmp-filtering"} {
		e.word(key, nat.EndpointIndependent)
	}
	for _, key := range timeKeys {
		e[key] = Expectation{Forever: true}
	}
	for _, key := range []string{"refresh", "timeout-scope", "unsolicited-syn", "silent"} {
		e[key] = Expectation{}
	}
	e.word("mid-stream", nat.MidStreamAdopt)
	e.word("tcp-reset", nat.ResetWaits)
	e.word("tcp-window", nat.WindowIgnored)
	e.is("drop-icmp-queries", false)
}

var timeKeys = []string{
	"udp-timeout", "udp-unreplied-timeout", "udp-well-known-timeout", "icmp-timeout",
	"tcp-established-timeout", "tcp-opening-timeout", "tcp-closing-timeout", "esp-timeout", "spi-timeout",
}

func (e expectations) transports(c nat.Config) {
	e.is(KeyOneToOne, false)
	e.is("silent", c.ICMP.Silent)
	shared := c.Ports.Assignment == nat.Preserve && c.Ports.Collision == nat.Share
	for _, p := range []struct {
		key string
		nat.Behaviour
	}{{"udp", c.UDP}, {"tcp", c.TCP}} {
		e.word(p.key+"-mapping", p.Mapping)
		if shared && p.Mapping == nat.AddressAndPortDependent { // one inside host alone gets one port for all
			e.word(p.key+"-mapping", nat.EndpointIndependent, p.Mapping)
		}
		e.word(p.key+"-filtering", p.Filtering)
	}
	e.word("hairpinning", c.Hairpin)
	if c.Hairpin == nat.InternalSource && c.UDP.Filtering != nat.EndpointIndependent { // nobody has sent to an inside endpoint by the box
		e.word("hairpinning", c.Hairpin, nat.NoHairpin)
	}
}

func (e expectations) ports(c nat.Config) {
	p := c.Ports
	e.word("port-assignment", p.Assignment)
	first, last := p.First, p.Last
	if first == 0 && last == 0 {
		first, last = 1024, 65535
	}
	if preserved := first <= 32768 && last >= 49151; p.Assignment == nat.Preserve && (!preserved || c.Blocks.Size > 0) {
		// The ports that are asked from lie outside, so that the next free ones are taken.
		e.word("port-assignment", nat.Preserve, nat.Sequential, nat.Random)
	}
	e.is("port-parity", p.Parity)
	if p.Assignment == nat.Random {
		e.is(KeyBlocks, c.Blocks.Size > 0)
	}
	if p.Assignment == nat.Preserve {
		e.word("port-collision", p.Collision)
	}
	e.word("port-range", p.Range)
	e.word("pooling", c.Pooling)
	if c.Pooling == nat.PairedSoft { // as long as there are ports
		e.word("pooling", nat.Paired)
	}
}

func (e expectations) tcp(c nat.Config) {
	r := c.TCPRules
	e.word("unsolicited-syn", r.Unsolicited)
	if c.ICMP.Silent && (r.Unsolicited == nat.UnsolicitedLater || r.Unsolicited == nat.UnsolicitedICMP) {
		e.word("unsolicited-syn", r.Unsolicited, nat.UnsolicitedSilent)
	}
	e.word("mid-stream", r.MidStream)
	e.word("tcp-reset", r.Reset)
	e.word("tcp-window", r.Window)
}

func (e expectations) icmp(c nat.Config) {
	e.is("drop-icmp-queries", c.ICMP.NoQueries)
	// A server has an address and no port.
	of := func(d nat.Dependence) nat.Dependence { return min(d, nat.AddressDependent) }
	e.word("icmp-mapping", of(c.ICMP.Mapping))
	if c.Ports.Assignment == nat.Preserve && c.Ports.Collision == nat.Share {
		e.word("icmp-mapping", nat.EndpointIndependent, of(c.ICMP.Mapping))
	}
	e.word("icmp-filtering", of(c.ICMP.Filtering))
	e.word("icmp-errors", c.ICMP.Errors)
}

func (e expectations) carriers(c nat.Config) {
	for _, p := range []struct {
		key, keep string
		nat.Portless
	}{{"esp", "esp-keep", c.ESP}, {"ah", "ah-keep", c.AH}, {"other-protocols", "other-keep", c.Other}} {
		e.word(p.key, p.Mode)
		if p.Mode == nat.OneClient {
			e.word(p.keep, p.Keep)
		}
	}
	if c.ESP.Mode == nat.BySPI {
		e.is("esp-serial", c.ESP.Serial)
		e[KeyAtOnce] = Expectation{Words: []string{"mixed-up"}}
		if c.ESP.Serial {
			e[KeyAtOnce] = Expectation{Words: []string{"one"}}
		}
	}
	e.word("ike", c.IKE)
	switch {
	case len(c.IKEPorts) > 0 && !slices.Contains(c.IKEPorts, IKE):
		e.word("ike", nat.IKEPlain)
	case c.IKE == nat.IKEPlain && c.Ports.Assignment == nat.Preserve && c.Ports.Collision == nat.Overload:
		e.word("ike", nat.IKEPlain, nat.IKEKeepPort) // all ports are as port 500 there
	}
}

func (e expectations) times(c nat.Config) {
	t := c.Timeouts
	udp := or(t.UDP, 5*time.Minute)
	e.lasts("udp-timeout", udp)
	e.lasts("udp-unreplied-timeout", or(t.UDPUnreplied, udp))
	e.lasts("udp-well-known-timeout", or(t.UDPWellKnown, udp))
	e.lasts("icmp-timeout", or(t.ICMP, time.Minute))
	e.lasts("tcp-established-timeout", or(t.TCPEstablished, 2*time.Hour+4*time.Minute))
	e.lasts("tcp-opening-timeout", or(t.TCPOpening, 4*time.Minute))
	e.lasts("tcp-closing-timeout", or(t.TCPClosing, 4*time.Minute))
	if c.ESP.Mode == nat.DropPortless {
		return
	}
	e.lasts("esp-timeout", or(t.ESP, 10*time.Minute))
	e.lasts("spi-timeout", or(t.ESP, 10*time.Minute))
	if c.ESP.Mode == nat.BySPI {
		e.lasts("spi-timeout", or(t.SPI, 30*time.Second))
	}
}

func (e expectations) rest(c nat.Config) {
	e.word("refresh", c.Refresh)
	e.word("timeout-scope", c.Scope)
	e.word("fragments", c.Fragments.Mode)
	e.is("rewrite-id", c.RewriteID)
	e[keyFaults] = Expectation{Words: []string{faultWords(c.Faults)}}
}

// faultWords are the mistakes of a box as far as they can be seen, in the order of the words.
func faultWords(f nat.Faults) string {
	var words []string
	for _, w := range []struct {
		word string
		has  bool
	}{
		{faultCarry, f.LostCarry && !f.NoUDPChecksum}, {faultTCP, f.NoTCPChecksum}, {faultUDP, f.NoUDPChecksum},
		{faultQuote, f.StaleQuote && !f.NoUDPChecksum}, {faultZero, f.ZeroFilled && !f.NoUDPChecksum},
	} {
		if w.has {
			words = append(words, w.word)
		}
	}
	if len(words) == 0 {
		return "none"
	}
	return strings.Join(words, ", ")
}

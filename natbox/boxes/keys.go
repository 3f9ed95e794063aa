package boxes

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ipseclab/ipseclab/internal/sourced"
	"github.com/ipseclab/ipseclab/natbox/nat"
)

// config is shorter than what it is an alias of.
type config = nat.Config

var keys = []Key{
	acts("udp-mapping", "which part of the remote endpoint an outside port of UDP is for", named(func(c *config) *nat.Dependence { return &c.UDP.Mapping })),
	acts("udp-filtering", "what of it must have been sent to before something passes from outside", named(func(c *config) *nat.Dependence { return &c.UDP.Filtering })),
	acts("tcp-mapping", "as udp-mapping, of TCP", named(func(c *config) *nat.Dependence { return &c.TCP.Mapping })),
	acts("tcp-filtering", "as udp-filtering, of TCP", named(func(c *config) *nat.Dependence { return &c.TCP.Filtering })),
	acts("icmp-mapping", "as udp-mapping, of ICMP queries", named(func(c *config) *nat.Dependence { return &c.ICMP.Mapping })),
	acts("icmp-filtering", "as udp-filtering, of ICMP queries", named(func(c *config) *nat.Dependence { return &c.ICMP.Filtering })),
	acts("drop-icmp-queries", "whether ICMP queries from inside are dropped", flag(func(c *config) *bool { return &c.ICMP.NoQueries })),
	acts("icmp-errors", "what becomes of ICMP errors about translated packets", named(func(c *config) *nat.ErrorMode { return &c.ICMP.Errors })),
	acts("silent", "whether senders are told nothing when the box has dropped a packet", flag(func(c *config) *bool { return &c.ICMP.Silent })),

	acts("port-assignment", "how outside ports are chosen", named(func(c *config) *nat.Assignment { return &c.Ports.Assignment })),
	acts("port-collision", "what happens when the port to be preserved has another mapping", named(func(c *config) *nat.Collision { return &c.Ports.Collision })),
	acts("port-range", "whether ports stay among ports of their kind", named(func(c *config) *nat.Range { return &c.Ports.Range })),
	acts("port-parity", "whether even ports stay even and odd ones odd", flag(func(c *config) *bool { return &c.Ports.Parity })),
	acts("first-port", "the lowest port that is assigned", port(func(c *config) *uint16 { return &c.Ports.First })),
	acts("last-port", "the highest port that is assigned", port(func(c *config) *uint16 { return &c.Ports.Last })),
	acts("reserved-ports", "outside ports that are the box's own", ports(func(c *config) *[]uint16 { return &c.Ports.Reserved })),
	acts("pooling", "how inside hosts share several outside addresses", named(func(c *config) *nat.Pooling { return &c.Pooling })),
	acts("block-size", "ports of a block that an inside host has for itself", count(func(c *config) *int { return &c.Blocks.Size })),
	acts("blocks-per-host", "blocks that an inside host may have", count(func(c *config) *int { return &c.Blocks.PerHost })),
	acts("blocks-exhausted", "what happens when it has no port left in them", named(func(c *config) *nat.Exhausted { return &c.Blocks.Exhausted })),
	acts("hairpinning", "what becomes of packets from inside to an outside endpoint of the box", named(func(c *config) *nat.Hairpinning { return &c.Hairpin })),

	acts("udp-timeout", "silence after which a mapping of UDP ends", span(func(c *config) *time.Duration { return &c.Timeouts.UDP })),
	acts("udp-unreplied-timeout", "the same until a packet has come back", span(func(c *config) *time.Duration { return &c.Timeouts.UDPUnreplied })),
	acts("udp-well-known-timeout", "the same to remote ports 0 to 1023", span(func(c *config) *time.Duration { return &c.Timeouts.UDPWellKnown })),
	acts("tcp-opening-timeout", "silence after which a half-open connection is forgotten", span(func(c *config) *time.Duration { return &c.Timeouts.TCPOpening })),
	acts("tcp-established-timeout", "the same of an established one", span(func(c *config) *time.Duration { return &c.Timeouts.TCPEstablished })),
	acts("tcp-closing-timeout", "the same after FIN both ways, or a RST", span(func(c *config) *time.Duration { return &c.Timeouts.TCPClosing })),
	acts("icmp-timeout", "silence after which a mapping of ICMP queries ends", span(func(c *config) *time.Duration { return &c.Timeouts.ICMP })),
	acts("esp-timeout", "the same of ESP and AH", span(func(c *config) *time.Duration { return &c.Timeouts.ESP })),
	acts("spi-timeout", "how long an inside host waits for the number of the SA in the other direction", span(func(c *config) *time.Duration { return &c.Timeouts.SPI })),
	acts("other-timeout", "silence after which a mapping of another protocol ends", span(func(c *config) *time.Duration { return &c.Timeouts.Other })),
	acts("refresh", "which packets keep a mapping of UDP or ICMP", named(func(c *config) *nat.Refresh { return &c.Refresh })),
	acts("timeout-scope", "whether each remote endpoint of a mapping has a time of its own", named(func(c *config) *nat.Scope { return &c.Scope })),

	acts("fragments", "what becomes of fragments", named(func(c *config) *nat.FragmentMode { return &c.Fragments.Mode })),
	acts("fragment-timeout", "how long a datagram is known of which a fragment was seen", span(func(c *config) *time.Duration { return &c.Fragments.Timeout })),
	acts("fragments-held", "fragments of one datagram that wait for the first", count(func(c *config) *int { return &c.Fragments.HoldEach })),
	acts("fragments-held-total", "fragments that wait at a time", count(func(c *config) *int { return &c.Fragments.HoldTotal })),
	acts("fragmented-datagrams", "datagrams in fragments that are known at a time", count(func(c *config) *int { return &c.Fragments.Datagrams })),
	acts("rewrite-id", "whether packets that are fragments, or may become some, get identifications of the box's own", flag(func(c *config) *bool { return &c.RewriteID })),

	acts("esp", "what becomes of ESP", named(func(c *config) *nat.PortlessMode { return &c.ESP.Mode })),
	acts("esp-keep", "with one client: whose it is", named(func(c *config) *nat.Keep { return &c.ESP.Keep })),
	acts("esp-serial", "by SPI: whether one inside host has to wait until the other one's SAs are known", flag(func(c *config) *bool { return &c.ESP.Serial })),
	acts("ah", "what becomes of AH", named(func(c *config) *nat.PortlessMode { return &c.AH.Mode })),
	acts("ah-keep", "with one client: whose it is", named(func(c *config) *nat.Keep { return &c.AH.Keep })),
	acts("ah-serial", "as esp-serial, of AH", flag(func(c *config) *bool { return &c.AH.Serial })),
	acts("other-protocols", "what becomes of protocols but ICMP, TCP, UDP, ESP and AH", named(func(c *config) *nat.PortlessMode { return &c.Other.Mode })),
	acts("other-keep", "with one client: whose it is", named(func(c *config) *nat.Keep { return &c.Other.Keep })),
	acts("ike", "what the box does about IKE, on top of what it does about UDP", named(func(c *config) *nat.IKEMode { return &c.IKE })),
	acts("ike-ports", "the source ports that ike is about", ports(func(c *config) *[]uint16 { return &c.IKEPorts })),

	acts("unsolicited-syn", "how a TCP SYN from outside is answered that nothing lets in", named(func(c *config) *nat.Unsolicited { return &c.TCPRules.Unsolicited })),
	acts("mid-stream", "what becomes of TCP segments from inside that belong to no connection", named(func(c *config) *nat.MidStream { return &c.TCPRules.MidStream })),
	acts("tcp-reset", "what a RST does to its connection", named(func(c *config) *nat.Reset { return &c.TCPRules.Reset })),
	acts("tcp-window", "which TCP segments must lie in the window that both ends have shown", named(func(c *config) *nat.Window { return &c.TCPRules.Window })),

	acts("max-mappings", "mappings at a time", count(func(c *config) *int { return &c.Limits.Mappings })),
	acts("max-mappings-per-host", "the same of one inside host", count(func(c *config) *int { return &c.Limits.MappingsPerHost })),
	acts("max-sessions", "remote endpoints of all mappings at a time", count(func(c *config) *int { return &c.Limits.Sessions })),
	acts("max-sessions-per-host", "the same of one inside host", count(func(c *config) *int { return &c.Limits.SessionsPerHost })),
	acts("max-held-syns", "SYNs from outside that wait for one from inside at a time", count(func(c *config) *int { return &c.Limits.Held })),
	acts("eviction", "what happens when a table is full", named(func(c *config) *nat.Eviction { return &c.Limits.Eviction })),
	acts("address-change", "what becomes of mappings when their outside address goes", named(func(c *config) *nat.AddressChange { return &c.Change })),
	acts("faults", "mistakes in its checksums", faults()),
}

func acts(name, meaning string, r sourced.Reader[config]) Key { return sourced.Acts(name, meaning, r) }

func flag(field func(*config) *bool) sourced.Reader[config] { return sourced.Flag(field) }

func count(field func(*config) *int) sourced.Reader[config] { return sourced.Number(1, field) }

func span(field func(*config) *time.Duration) sourced.Reader[config] { return sourced.Span(field) }

// named is a setting whose values have names.
func named[V nat.Setting](field func(*config) *V) sourced.Reader[config] {
	var zero V
	var all []sourced.Named[V]
	for i, name := range zero.Names() {
		all = append(all, sourced.Named[V]{Word: name, Value: V(i)})
	}
	return sourced.OneOf(field, all...)
}

func port(field func(*config) *uint16) sourced.Reader[config] {
	return sourced.Reader[config]{Read: func(c *config, v any) error {
		n, err := portNumber(v)
		if err == nil {
			*field(c) = n
		}
		return err
	}}
}

func portNumber(v any) (uint16, error) {
	n, err := strconv.ParseUint(fmt.Sprint(v), 10, 16)
	if err != nil || n == 0 {
		return 0, fmt.Errorf("want a port from 1 to 65535, got %v", v)
	}
	return uint16(n), nil
}

func ports(field func(*config) *[]uint16) sourced.Reader[config] {
	return sourced.Reader[config]{Read: func(c *config, v any) error {
		words, err := sourced.List(v)
		if err != nil {
			return err
		}
		var all []uint16
		for _, w := range words {
			n, err := portNumber(w)
			if err != nil {
				return err
			}
			all = append(all, n)
		}
		*field(c) = all
		return nil
	}}
}

// faultWords are the mistakes of implementations.
var faultWords = []sourced.Named[func(*nat.Faults)]{
	{Word: "no-udp-checksum", Value: func(f *nat.Faults) { f.NoUDPChecksum = true }},
	{Word: "no-tcp-checksum", Value: func(f *nat.Faults) { f.NoTCPChecksum = true }},
	{Word: "lost-carry", Value: func(f *nat.Faults) { f.LostCarry = true }},
	{Word: "zero-filled", Value: func(f *nat.Faults) { f.ZeroFilled = true }},
	{Word: "stale-quote", Value: func(f *nat.Faults) { f.StaleQuote = true }},
}

func faults() sourced.Reader[config] {
	r := sourced.Reader[config]{}
	for _, f := range faultWords {
		r.Words = append(r.Words, f.Word)
	}
	r.Read = func(c *config, v any) error {
		words, err := sourced.List(v)
		if err != nil {
			return err
		}
		c.Faults = nat.Faults{}
		for _, w := range words {
			i := slices.Index(r.Words, w)
			if i < 0 {
				return fmt.Errorf("want a list of %s, got %v", strings.Join(r.Words, ", "), w)
			}
			faultWords[i].Value(&c.Faults)
		}
		return nil
	}
	return r
}

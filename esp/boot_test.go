package esp

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// What each startup mode does with each kind of packet (TechNet cc783039), one a line:
// direction, packet, verdicts in permit, block and stateful mode. Stateful mode has
// seen the line before.
func TestStartupModes(t *testing.T) {
	const table = `
out udp 10.0.0.1:1025 > 10.0.0.53:53        boot:permit  !boot:block  boot:stateful
in  udp 10.0.0.53:53 > 10.0.0.1:1025        boot:permit  !boot:block  boot:stateful
in  udp 10.0.0.54:53 > 10.0.0.1:1025        boot:permit  !boot:block  !boot:stateful
in  udp 10.0.0.53:54 > 10.0.0.1:1025        boot:permit  !boot:block  !boot:stateful
in  udp 10.0.0.53:53 > 10.0.0.1:1026        boot:permit  !boot:block  !boot:stateful
in  tcp 10.0.0.53:53 > 10.0.0.1:1025        boot:permit  !boot:block  !boot:stateful
in  tcp 10.0.0.66:4000 > 10.0.0.1:445       boot:permit  !boot:block  !boot:stateful
in  tcp 10.0.0.66:4000 > 10.0.0.1:3389      boot:permit  boot:exempt  boot:exempt
out tcp 10.0.0.1:3389 > 10.0.0.66:4000      boot:permit  !boot:block  boot:stateful
out tcp 10.0.0.1:1030 > 10.0.0.66:3389      boot:permit  !boot:block  boot:stateful
in  icmp 10.0.0.66 > 10.0.0.1               boot:permit  !boot:block  !boot:stateful
out icmp 10.0.0.1 > 10.0.0.66               boot:permit  boot:exempt  boot:exempt
in  icmp 10.0.0.66 > 10.0.0.1               boot:permit  !boot:block  !boot:stateful
out udp 0.0.0.0:68 > 255.255.255.255:67     boot:permit  boot:dhcp    boot:dhcp
in  udp 10.0.0.5:67 > 255.255.255.255:68    boot:permit  boot:dhcp    boot:dhcp
in  udp 10.0.0.5:68 > 10.0.0.1:67           boot:permit  !boot:block  !boot:stateful
out udp 10.0.0.1:67 > 10.0.0.5:68           boot:permit  !boot:block  boot:stateful
`
	exempt := []BootExemption{
		{Direction: ipsec.Inbound, Proto: ipsec.ProtoTCP, DstPort: 3389},
		{Direction: ipsec.Outbound, Proto: ipsec.ProtoICMP},
	}
	require.Equal(t, "tcp:0:3389:inbound", exempt[0].String())
	require.Equal(t, "icmp:outbound", exempt[1].String())
	for i, mode := range []StartupMode{StartupPermit, StartupBlock, StartupStateful} {
		p, err := New(Config{Rand: strings.NewReader(strings.Repeat("x", 1000))})
		require.NoError(t, err)
		p.SetStartup(&Startup{Mode: mode, Exempt: exempt})
		drops := uint64(0)
		for _, line := range strings.Split(strings.TrimSpace(table), "\n") {
			words := strings.Fields(line)
			f := ipsec.Flow{Proto: map[string]uint8{"udp": ipsec.ProtoUDP, "tcp": ipsec.ProtoTCP, "icmp": ipsec.ProtoICMP}[words[1]]}
			f.Src, f.SrcPort = end(words[2])
			f.Dst, f.DstPort = end(words[4])
			outbound := words[0] == "out"
			var decision Decision
			if outbound {
				decision = p.unmatched(ipsec.Outbound, &f)
			} else {
				decision = p.InboundClear(time.Time{}, f)
			}
			rule, dropped := strings.CutPrefix(words[5+i], "!")
			require.Equal(t, strings.Replace(rule, ":", ": ", 1), decision.Rule, line)
			require.Equal(t, dropped, decision.Outcome == Dropped, "%s: %s", line, decision.Why)
			require.Equal(t, ActionBoot, decision.Action)
			require.NotEmpty(t, decision.Why, line)
			if dropped {
				drops++
			}
			require.Equal(t, drops, p.Counters().BootDrops, line)
		}
		require.Zero(t, p.Counters().PolicyDrops+p.Counters().ClearTextDrops)

		p.SetStartup(nil)
		decision := p.InboundClear(time.Time{}, ipsec.Flow{Src: netip.MustParseAddr("10.0.0.66"), Dst: netip.MustParseAddr("10.0.0.1"), Proto: ipsec.ProtoICMP})
		require.Equal(t, ActionNoMatch, decision.Action, "operational")
	}
}

func end(s string) (netip.Addr, uint16) {
	if a, err := netip.ParseAddrPort(s); err == nil {
		return a.Addr(), a.Port()
	}
	return netip.MustParseAddr(s), 0
}

// The filters that there are already go before the mode, and state is forgotten with it.
func TestStartupBehindFilters(t *testing.T) {
	p, err := New(Config{Rand: strings.NewReader(strings.Repeat("x", 1000))})
	require.NoError(t, err)
	web := ipsec.Selector{Proto: ipsec.ProtoTCP, DstPort: 80}
	p.SetPolicy(nil, []ipsec.Policy{{ID: 1, Rule: "persistent/web", Direction: ipsec.Inbound, Selector: web, Action: ipsec.Bypass}})
	p.SetStartup(&Startup{Mode: StartupBlock})
	in := func(port uint16) Decision {
		return p.InboundClear(time.Time{}, ipsec.Flow{
			Src: netip.MustParseAddr("10.0.0.66"), Dst: netip.MustParseAddr("10.0.0.1"), Proto: ipsec.ProtoTCP, SrcPort: 1025, DstPort: port,
		})
	}
	require.Equal(t, "persistent/web", in(80).Rule)
	require.Equal(t, "boot: block", in(81).Rule)

	p.SetStartup(&Startup{Mode: StartupStateful})
	asks := ipsec.Flow{Src: netip.MustParseAddr("10.0.0.1"), Dst: netip.MustParseAddr("10.0.0.66"), Proto: ipsec.ProtoTCP, SrcPort: 81, DstPort: 1025}
	require.Equal(t, Passed, p.unmatched(ipsec.Outbound, &asks).Outcome)
	require.Equal(t, Passed, in(81).Outcome)
	p.SetStartup(&Startup{Mode: StartupStateful})
	require.Equal(t, Dropped, in(81).Outcome, "of an earlier start")

	six := ipsec.Flow{Src: netip.MustParseAddr("fe80::1"), Dst: netip.MustParseAddr("ff02::1"), Proto: ipsec.ProtoICMPv6, ICMPType: 135}
	require.Equal(t, Passed, p.InboundClear(time.Time{}, six).Outcome, "neighbour solicitation")
	six.ICMPType = 128
	require.Equal(t, Dropped, p.InboundClear(time.Time{}, six).Outcome, "echo request")
	p.SetStartup(&Startup{Mode: StartupStateful, BypassIPv6: true})
	require.Equal(t, ActionNoMatch, p.InboundClear(time.Time{}, six).Action)
}

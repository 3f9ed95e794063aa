package scenarios_test

import (
	"context"
	"encoding/binary"
	"errors"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/hosts"
	"github.com/ipseclab/ipseclab/hosts/policy"
	"github.com/ipseclab/ipseclab/internal/result"
	"github.com/ipseclab/ipseclab/internal/trace"
	"github.com/ipseclab/ipseclab/scenarios"
	"github.com/ipseclab/ipseclab/scenarios/spec"
)

// mirrorDriver starts peers that answer ARP requests and pings, by swapping addresses.
type mirrorDriver struct {
	refuse  error
	stopped int
	deaf    bool // answers nothing, and its own requests hang
	fixed   bool // takes no other policy
	peers   []*mirror
	wg      sync.WaitGroup
}

func (d *mirrorDriver) Date() time.Time { return time.Date(2026, 3, 4, 5, 6, 7, 8, time.UTC) }
func (d *mirrorDriver) Go(f func())     { d.wg.Go(f) }

func (d *mirrorDriver) Start(_ context.Context, all []scenarios.PeerConfig) (peers []scenarios.Peer, err error) {
	if d.refuse != nil {
		return nil, d.refuse
	}
	for _, c := range all {
		m := &mirror{driver: d, config: c}
		d.peers, peers = append(d.peers, m), append(peers, m)
	}
	return peers, nil
}

type mirror struct {
	driver   *mirrorDriver
	config   scenarios.PeerConfig
	assigned []*policy.Policy
	restarts int
	asked    uint64 // for SAs
}

func (m *mirror) Send(i int, frame []byte) {
	const arp, ip = 0x0806, 0x0800
	ifc := m.config.Interfaces[i]
	if m.driver.deaf || len(frame) < 42 {
		return
	}
	f := append([]byte(nil), frame...)
	copy(f, frame[6:12])
	copy(f[6:], ifc.MAC[:])
	switch kind := binary.BigEndian.Uint16(f[12:]); {
	case kind == arp && f[21] == 1 && netip.AddrFrom4([4]byte(f[38:])) == ifc.Prefixes[0].Addr():
		f[21] = 2
		copy(f[22:], ifc.MAC[:])
		copy(f[28:], frame[38:42])
		copy(f[32:], frame[22:32])
	case kind == ip && f[23] == 1 && f[34] == 8:
		copy(f[26:], frame[30:34])
		copy(f[30:], frame[26:30])
		f[34] = 0
		sum := uint32(binary.BigEndian.Uint16(f[36:])) + 0x0800 // RFC 1624, Section 3
		binary.BigEndian.PutUint16(f[36:], uint16(sum&0xffff+sum>>16))
	default:
		return
	}
	m.driver.Go(func() { ifc.Deliver(f) })
}

func (m *mirror) wait(ctx context.Context) (hosts.Report, error) {
	if m.driver.deaf {
		<-ctx.Done()
		return hosts.Report{}, ctx.Err()
	}
	return hosts.Report{Sent: 1, Received: 1, Latency: []time.Duration{time.Millisecond}}, nil
}

func (m *mirror) Ping(ctx context.Context, _ hosts.Ping) (hosts.Report, error) { return m.wait(ctx) }
func (m *mirror) Call(ctx context.Context, _ hosts.Call) (hosts.Report, error) { return m.wait(ctx) }
func (m *mirror) SendDatagrams(ctx context.Context, _ hosts.Datagrams) (hosts.Report, error) {
	return m.wait(ctx)
}

func (m *mirror) Seen(context.Context, scenarios.PeerService) (hosts.Seen, error) {
	return hosts.Seen{}, nil
}

func (m *mirror) Run(_ context.Context, command string, _ time.Duration) (scenarios.PeerOutput, error) {
	out := scenarios.PeerOutput{Code: 3, Output: "you said " + command}
	if command == "much" {
		out.LeftOut = 4711
	}
	return out, nil
}

func (m *mirror) Assign(_ context.Context, p *policy.Policy) error {
	m.assigned = append(m.assigned, p)
	if m.driver.fixed {
		return scenarios.Unsupportedf("another policy: it has one for ever")
	}
	return nil
}

func (m *mirror) Restart(context.Context, time.Duration, bool) error { m.restarts++; return nil }

func (m *mirror) SAs(context.Context) ([]scenarios.PeerSA, error) {
	m.asked++
	return []scenarios.PeerSA{{
		SAAdded: trace.SAAdded{Direction: "inbound", Protocol: "ESP", SPI: 0x1234, Src: "10.0.0.1", Dst: "10.0.0.2"}, Packets: m.asked, Bytes: 100 * m.asked,
	}}, nil
}

func (m *mirror) About() scenarios.PeerAbout {
	return scenarios.PeerAbout{Image: m.config.Image, Driver: "mirror", Daemon: "mirror 1.0"}
}

func (m *mirror) Stop(context.Context) error { m.driver.stopped++; return nil }

const peerFile = `
title: a virtual host and a real peer
network: {segments: {lan: {subnet: 10.0.0.0/24}}}
nodes:
  alice: {interfaces: [{segment: lan, address: 10.0.0.1/24}]}
  bob:
    type: peer
    image: mirror
    interfaces: [{segment: lan, address: 10.0.0.2/24}]
    serves: [{tcp: 80}]
filter-lists: {all: [{source: me, destination: any}]}
filter-actions: {pass: {action: permit}}
policies: {open: {rules: [{filter-list: all, filter-action: pass}]}}
assignments: {bob: open}
steps:
  - ping: {from: alice, to: bob, count: 2, interval: 10ms}
    expect: {result: ok, received: 2, wire: {protection: clear}, sas: {bob: {at-end: 1}}}
  - ping: {from: bob, to: alice}
    expect: {result: ok}
  - assign-policy: {host: bob, policy: none}
  - restart-host: {host: bob, boot: 1ms}
  - run: {on: bob, command: hello}
    expect: {exit: 3, output: ["^you said hel+o$"]}
`

func peerScenario(t *testing.T, text string) *spec.Scenario {
	t.Helper()
	s, err := spec.Parse("peers.yaml", []byte(text))
	require.NoError(t, err)
	s.Name = "peers"
	return s
}

// A scenario with a real peer goes by the wall clock, begins at the machine's date, and
// asks the peer for what a virtual host would do.
func TestPeers(t *testing.T) {
	d := &mirrorDriver{}
	r, err := scenarios.Run(context.Background(), peerScenario(t, peerFile), scenarios.Options{Peers: d, Dir: t.TempDir()})
	require.NoError(t, err)
	d.wg.Wait()
	for _, s := range r.Steps {
		require.Equal(t, result.Passed, s.Outcome, "%+v", s)
	}
	require.Equal(t, result.Passed, r.Outcome)
	require.Equal(t, result.ClockWall, r.Clock)
	require.Equal(t, d.Date().Truncate(time.Second), r.Start)
	require.Len(t, r.Peers, 1)
	require.Equal(t, []string{"bob", "mirror", "mirror 1.0", "peers/bob"}, []string{r.Peers[0].Node, r.Peers[0].Image, r.Peers[0].Daemon, r.Peers[0].Dir})
	require.Len(t, r.SAs, 1)
	require.Equal(t, d.peers[0].asked, r.SAs[0].Packets, "as it was said last")
	require.Equal(t, 100*d.peers[0].asked, r.SAs[0].Bytes)
	bob := d.peers[0]
	require.Equal(t, "open", bob.config.Policy.Name)
	require.Equal(t, []scenarios.PeerService{{Protocol: 6, Port: 80}}, bob.config.Services)
	require.Equal(t, []*policy.Policy{nil}, bob.assigned)
	require.Equal(t, 1, bob.restarts)
	require.Equal(t, 1, d.stopped)
	require.GreaterOrEqual(t, r.Virtual, 300*time.Millisecond, "it lingers by the wall clock")
}

// What a command printed and nobody kept is told of, in the evidence and where expectations look: the beginning of the rest
// is not that of the output.
func TestCommandThatPrintsMuch(t *testing.T) {
	s := peerScenario(t, strings.Replace(peerFile, `command: hello}
    expect: {exit: 3, output: ["^you said hel+o$"]}`, `command: much}
    expect: {exit: 3, output: ["^you said much$", "(?m)^you said much$"]}`, 1))
	d := &mirrorDriver{}
	r, err := scenarios.Run(context.Background(), s, scenarios.Options{Peers: d})
	require.NoError(t, err)
	d.wg.Wait()
	step := r.Steps[4]
	require.Equal(t, result.Failed, step.Outcome)
	const text = "… 4711 bytes were left out …\nyou said much"
	require.Equal(t, []string{"exit status 3", text}, step.Got)
	for _, c := range step.Checks {
		switch c.Want {
		case "^you said much$":
			require.Equal(t, result.Failed, c.Outcome)
			require.Equal(t, text, c.Got)
			require.Equal(t, "nothing in the last 13 bytes of the output (4711 before them were not kept) matches ^you said much$", c.Reason)
		default:
			require.Equal(t, result.Passed, c.Outcome, c.Want)
		}
	}
	require.Len(t, step.Checks, 3)
}

// TestPeersUnsupported: without a driver, with a driver that cannot, and with steps that only
// virtual hosts know, the scenario is unsupported with the reason.
func TestPeersUnsupported(t *testing.T) {
	for _, tc := range []struct {
		driver scenarios.PeerDriver
		text   string
		want   string
	}{
		{nil, peerFile, "no driver: bob is a real peer, and nothing here starts those"},
		{&mirrorDriver{refuse: scenarios.Unsupportedf("no mirrors here")}, peerFile, "no mirrors here"},
		{&mirrorDriver{}, strings.Replace(peerFile, "  - run: {on: bob, command: hello}\n    expect: {exit: 3, output: [\"^you said hel+o$\"]}\n", "  - scan: {from: bob, to: alice, ports: 80}\n", 1), "step 5: scan is for virtual hosts, and bob is a real peer"},
	} {
		r, err := scenarios.Run(context.Background(), peerScenario(t, tc.text), scenarios.Options{Peers: tc.driver})
		require.NoError(t, err)
		require.Equal(t, result.Unsupported, r.Outcome)
		require.Equal(t, tc.want, r.Reason)
	}
}

// What a peer cannot do during a run makes the scenario unsupported: the steps behind rest on it, and fail nobody.
func TestPeersUnsupportedStep(t *testing.T) {
	d := &mirrorDriver{fixed: true}
	text := peerFile + "  - ping: {from: alice, to: bob}\n    expect: {result: timeout}\ninvariants:\n  - answers: {between: [alice, bob], lost: 7}\n"
	r, err := scenarios.Run(context.Background(), peerScenario(t, text), scenarios.Options{Peers: d})
	require.NoError(t, err)
	d.wg.Wait()
	require.Equal(t, result.Unsupported, r.Outcome, r.Reasons())
	require.Equal(t, "step 3, unassign the policy of bob (line 20): another policy: it has one for ever", r.Reasons()[0])
	var outcomes []result.Outcome
	for _, s := range r.Steps {
		outcomes = append(outcomes, s.Outcome)
	}
	const p, u = result.Passed, result.Unsupported
	require.Equal(t, []result.Outcome{p, p, u, u, u, u}, outcomes)
	require.Equal(t, []string{"the run ended before this step began"}, r.Steps[5].Got)
	require.Zero(t, d.peers[0].restarts)
	require.Len(t, r.Invariants, 1, "the wire oracle")
	require.Equal(t, 1, d.stopped)
}

// A peer that hangs ends with the context, and is stopped.
func TestPeersHang(t *testing.T) {
	d := &mirrorDriver{deaf: true}
	ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	_, err := scenarios.Run(ctx, peerScenario(t, peerFile), scenarios.Options{Peers: d})
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.ErrorContains(t, err, "step 1, ping alice → bob, had not ended: context deadline exceeded")
	d.wg.Wait()
	require.Equal(t, 1, d.stopped)
}

// Ready is called between the start of the peers and the first step, and where there are none, when the world is made.
func TestReady(t *testing.T) {
	d := &mirrorDriver{}
	called := 0
	ready := func() {
		called++
		require.Len(t, d.peers, 1)
		require.Zero(t, d.peers[0].asked, "no step has begun")
	}
	_, err := scenarios.Run(context.Background(), peerScenario(t, peerFile), scenarios.Options{Peers: d, Ready: ready})
	require.NoError(t, err)
	d.wg.Wait()
	require.Equal(t, 1, called)
	require.NotZero(t, d.peers[0].asked)

	_, err = scenarios.Run(context.Background(), peerScenario(t, peerFile), scenarios.Options{Peers: &mirrorDriver{refuse: errors.New("no power")}, Ready: ready})
	require.Error(t, err)
	require.Equal(t, 1, called, "there were no peers")

	virtual := "title: none\nnetwork: {segments: {lan: {}}}\nnodes: {alice: {interfaces: [{segment: lan, address: 10.0.0.1/24}]}}\nsteps: [{wait: 1s}]\n"
	_, err = scenarios.Run(context.Background(), peerScenario(t, virtual), scenarios.Options{Ready: func() { called++ }})
	require.NoError(t, err)
	require.Equal(t, 2, called)
}

// A driver that breaks is no verdict about the scenario.
func TestPeersBroken(t *testing.T) {
	_, err := scenarios.Run(context.Background(), peerScenario(t, peerFile), scenarios.Options{Peers: &mirrorDriver{refuse: errors.New("no power")}})
	require.ErrorContains(t, err, "no power")
}

// WithPeers puts a real peer in the place of a virtual host.
func TestWithPeers(t *testing.T) {
	virtual := peerScenario(t, strings.NewReplacer("    type: peer\n    image: mirror\n", "    os: windows-2003-sp1\n", "  - run: {on: bob, command: hello}\n    expect: {exit: 3, output: [\"^you said hel+o$\"]}\n", "").Replace(peerFile))
	s, err := virtual.WithPeers(map[string]spec.Replacement{"bob": {Image: "mirror"}})
	require.NoError(t, err)
	d := &mirrorDriver{}
	r, err := scenarios.Run(context.Background(), s, scenarios.Options{Peers: d})
	require.NoError(t, err)
	d.wg.Wait()
	require.Equal(t, result.Passed, r.Outcome)
	require.Empty(t, virtual.Peers(), "the scenario itself is as it was")
	_, err = virtual.WithPeers(map[string]spec.Replacement{"rob": {Image: "mirror"}})
	require.ErrorContains(t, err, `no node is called "rob"; did you mean "bob"?`)
}

// With Until the world goes on until it returns. Steps that have ended are judged, and what has not is not.
func TestUntil(t *testing.T) {
	for _, tc := range []struct {
		name string
		idle bool
		text string
		want []result.Outcome
		all  result.Outcome
	}{
		{"all steps", false, peerFile, []result.Outcome{result.Passed, result.Passed, result.Passed, result.Passed, result.Passed}, result.Passed},
		{"cut off", false, strings.Replace(peerFile, "  - assign-policy:", "  - wait: 1h\n  - assign-policy:", 1),
			[]result.Outcome{result.Passed, result.Passed, result.Unsupported, result.Unsupported, result.Unsupported, result.Unsupported}, result.Unsupported},
		{"idle", true, peerFile + "invariants:\n  - sas: {host: bob, at-end: 7}\n", []result.Outcome{}, result.Passed},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d := &mirrorDriver{}
			r, err := scenarios.Run(context.Background(), peerScenario(t, tc.text), scenarios.Options{
				Peers: d, Idle: tc.idle, Until: func(context.Context) { time.Sleep(1500 * time.Millisecond) },
			})
			require.NoError(t, err)
			d.wg.Wait()
			outcomes := []result.Outcome{}
			for _, s := range r.Steps {
				outcomes = append(outcomes, s.Outcome)
			}
			require.Equal(t, tc.want, outcomes)
			require.Equal(t, tc.all, r.Outcome)
			require.GreaterOrEqual(t, r.Virtual, 1400*time.Millisecond)
			require.Less(t, r.Virtual, time.Minute)
			require.Equal(t, 1, d.stopped)
		})
	}
	_, err := scenarios.Run(context.Background(), peerScenario(t, "title: none\nnetwork: {segments: {lan: {}}}\nnodes: {alice: {interfaces: [{segment: lan, address: 10.0.0.1/24}]}}\nsteps: [{wait: 1s}]\n"), scenarios.Options{Until: func(context.Context) {}})
	require.ErrorContains(t, err, "has no real peers")
}

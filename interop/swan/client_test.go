package swan

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/interop/peerconf"
	"github.com/ipseclab/ipseclab/interop/peerconf/sample"
)

var success = node{"success", "yes"}

// sa is an event as charon 5.9.8 sends it.
func sa(id int, children ...any) node {
	return node{"to-any", node{
		"uniqueid", fmt.Sprint(id), "version", "1", "state", "ESTABLISHED", "local-host", "10.0.0.1", "local-port", "4500", "local-id", "10.0.0.1",
		"remote-host", "10.0.0.2", "remote-port", "4501", "remote-id", "C=X, CN=bob", "initiator", "yes",
		"initiator-spi", "0123456789abcdef", "responder-spi", "fedcba9876543210", "nat-remote", "yes", "nat-any", "yes",
		"encr-alg", "AES_CBC", "encr-keysize", "256", "integ-alg", "HMAC_SHA2_256_128", "prf-alg", "PRF_HMAC_SHA2_256", "dh-group", "MODP_2048",
		"established", "5", "reauth-time", "-3", "tasks-active", []string{"ISAKMP_DPD"},
		"child-sas", node(children),
	}}
}

func TestListSAs(t *testing.T) {
	f := &fake{
		answers: map[string]node{"list-sas": {}},
		events: map[string][]node{"list-sas": {
			sa(7, "all-4", node{
				"name", "all", "uniqueid", "4", "reqid", "1", "state", "INSTALLED", "mode", "TRANSPORT", "protocol", "ESP", "encap", "yes",
				"spi-in", "c0000001", "spi-out", "0000abcd", "encr-alg", "3DES_CBC", "integ-alg", "HMAC_SHA1_96", "dh-group", "MODP_1024", "esn", "1",
				"bytes-in", "84", "packets-in", "1", "bytes-out", "168", "packets-out", "2", "rekey-time", "3000", "life-time", "3600", "install-time", "1",
				"local-ts", []string{"10.0.0.1/32"}, "remote-ts", []string{"10.0.0.2/32[tcp/http]"},
			}, "all-5", node{"protocol", "AH", "integ-alg", "HMAC_MD5_96"}),
			{"odd", node{"uniqueid", "many", "version", []string{"1"}, "local-host", "nowhere", "initiator-spi", "xyz", "child-sas", "none", "encr-alg", "BLOWFISH_CBC"}},
			{"odder", "no section"},
		}},
	}
	sas, err := f.client().ListSAs(context.Background())
	require.NoError(t, err)
	require.Equal(t, []SA{
		{
			Connection: "to-any", ID: 7, Version: 1, State: "ESTABLISHED", Initiator: true, InitiatorCookie: 0x0123456789abcdef, ResponderCookie: 0xfedcba9876543210,
			Local: netip.MustParseAddrPort("10.0.0.1:4500"), Remote: netip.MustParseAddrPort("10.0.0.2:4501"), LocalID: "10.0.0.1", RemoteID: "C=X, CN=bob",
			NATRemote: true, NATAny: true, Cipher: "aes256-cbc", Hash: "sha256", Group: 14,
			Words:       []string{"AES_CBC-256", "HMAC_SHA2_256_128", "PRF_HMAC_SHA2_256", "MODP_2048"},
			Established: 5 * time.Second, ReauthIn: -3 * time.Second,
			Children: []ChildSA{
				{
					Name: "all", ID: 4, ReqID: 1, State: "INSTALLED", Mode: "TRANSPORT", Protocol: ipsec.ESP, Encap: true, In: 0xc0000001, Out: 0xabcd,
					Cipher: "3des-cbc", Auth: "hmac-sha1-96", Group: 2, ESN: true, Words: []string{"3DES_CBC", "HMAC_SHA1_96", "MODP_1024"},
					BytesIn: 84, PacketsIn: 1, BytesOut: 168, PacketsOut: 2, RekeyIn: 50 * time.Minute, LifeLeft: time.Hour, Installed: time.Second,
					LocalTS: []string{"10.0.0.1/32"}, RemoteTS: []string{"10.0.0.2/32[tcp/http]"},
				},
				{Name: "all-5", Protocol: ipsec.AH, Auth: "hmac-md5-96", Words: []string{"HMAC_MD5_96"}},
			},
		},
		{Connection: "odd", Words: []string{"BLOWFISH_CBC"}}, // what is not understood is left out
	}, sas)
}

// No event is lost, however many come at once: see stream.
func TestManyEvents(t *testing.T) {
	f := &fake{answers: map[string]node{"list-sas": {}}, events: map[string][]node{}}
	for i := range 1000 {
		f.events["list-sas"] = append(f.events["list-sas"], sa(i+1))
	}
	for range 5 {
		sas, err := f.client().ListSAs(context.Background())
		require.NoError(t, err)
		require.Len(t, sas, 1000)
		require.Equal(t, uint32(1000), sas[999].ID)
	}
}

// A configuration goes over vici in the order in which charon needs it.
func TestLoad(t *testing.T) {
	h := sample.Cases()
	var config *peerconf.Config
	for _, c := range h {
		if c.Name == "psk-or-rsa" {
			var err error
			config, err = peerconf.Build(c.Host)
			require.NoError(t, err)
		}
	}
	conf, err := Build(config, Native)
	require.NoError(t, err)
	f := &fake{answers: map[string]node{
		"clear-creds": success, "flush-certs": success, "load-cert": success, "load-key": success, "load-shared": success, "load-conn": success, "unload-conn": success,
		"get-conns": {"conns", []string{"to-10-0-0-2-psk", "old"}},
	}}
	require.NoError(t, f.client().Load(context.Background(), conf))
	var commands []string
	for _, a := range f.asked {
		word, _, _ := strings.Cut(a, "[")
		commands = append(commands, word)
	}
	require.Equal(t, "clear-creds flush-certs get-conns unload-conn load-cert load-cert load-cert load-cert load-cert load-key load-shared load-conn load-conn", strings.Join(commands, " "))
	require.Contains(t, f.asked[3], "name old")
	require.Contains(t, f.asked[10], "Windows2003!")

	f.answers["load-conn"] = node{"success", "no", "errmsg", "invalid value for: proposals"}
	err = f.client().Load(context.Background(), conf)
	require.ErrorContains(t, err, "connection to-10-0-0-2-psk: swan: charon refused load-conn: invalid value for: proposals")
	var refused *Refused
	require.ErrorAs(t, err, &refused)
}

func TestControl(t *testing.T) {
	f := &fake{
		answers: map[string]node{
			"initiate": {"success", "no", "errmsg", "CHILD_SA 'all' not established after 1000ms"},
			"version":  {"daemon", "charon", "version", "5.9.8"}, "get-algorithms": {"encryption", node{"AES_CBC", "aes"}, "odd", "text"},
		},
		events: map[string][]node{
			"initiate": {{"group", "IKE", "msg", "initiating"}, {"msg", "giving up after 3 retransmits"}},
		},
	}
	c, ctx := f.client(), context.Background()
	err := c.Initiate(ctx, "to-any", "all", time.Second)
	require.EqualError(t, err, "swan: charon refused initiate: CHILD_SA 'all' not established after 1000ms (last: giving up after 3 retransmits)")
	require.Equal(t, "initiate[ike to-any child all timeout 1000 loglevel 1]", f.asked[0])
	require.ErrorContains(t, c.Terminate(ctx, Target{Child: "x"}, time.Second), "terminate") // a command that it does not know
	v, err := c.Version(ctx)
	require.NoError(t, err)
	require.Equal(t, Version{Daemon: "charon", Version: "5.9.8"}, v)
	a, err := c.Algorithms(ctx)
	require.NoError(t, err)
	require.Equal(t, Algorithms{"encryption": {"AES_CBC": "aes"}}, a)
}

// A daemon that answers nonsense, too much, or nothing is an error and no more.
func TestHostile(t *testing.T) {
	f := &fake{raw: map[string][]byte{}}
	ctx := context.Background()
	f.raw["version"] = binary.BigEndian.AppendUint32(nil, maxSegment+1)
	_, err := f.client().Version(ctx)
	require.Error(t, err)
	for _, junk := range [][]byte{{}, {99}, {cmdResponse, keyValue}, {cmdResponse, sectionStart, 1, 'a'}, {cmdResponse, listStart, 1, 'a', 9}, {eventPacket, 200}} {
		f.raw["version"] = append(binary.BigEndian.AppendUint32(nil, uint32(len(junk))), junk...)
		short, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
		_, err := f.client().Version(short)
		require.Error(t, err, "%x", junk)
		cancel()
	}
	f.raw["version"] = []byte{} // no answer
	short, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
	defer cancel()
	_, err = f.client().Version(short)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	_, err = NewClient(func(context.Context) (net.Conn, error) { return nil, errors.New("closed") }).Version(ctx)
	require.EqualError(t, err, "swan: connecting to charon: closed")
}

// Whatever the bytes of an answer, reading it ends.
func FuzzAnswer(f *testing.F) {
	f.Add(appendNode([]byte{cmdResponse}, node{"daemon", "charon", "list", []string{"a"}, "s", node{"k", "v"}}))
	f.Fuzz(func(t *testing.T, answer []byte) {
		if len(answer) > maxSegment {
			return
		}
		fake := &fake{raw: map[string][]byte{"get-algorithms": append(binary.BigEndian.AppendUint32(nil, uint32(len(answer))), answer...)}}
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
		defer cancel()
		_, _ = fake.client().Algorithms(ctx)
	})
}

// The tree says the same over vici as the fake reads it.
func TestMessage(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tree := drawTree(t, 3)
		m, err := tree.Message()
		require.NoError(t, err)
		require.Equal(t, flat(tree), flatMessage(fields{m}))
	})
}

func flatMessage(f fields) (all []string) {
	for _, key := range f.m.Keys() {
		switch v := f.get(key).(type) {
		case string:
			all = append(all, key+"="+v)
		case []string:
			all = append(all, key+"="+strings.Join(v, ", "))
		default:
			for _, line := range flatMessage(f.section(key)) {
				all = append(all, key+"."+line)
			}
		}
	}
	return all
}

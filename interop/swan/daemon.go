package swan

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/ipseclab/ipseclab/interop/peerconf"
)

// Daemon is what strongswan.conf says of a charon.
type Daemon struct {
	Kind   Kind
	Log    string // the file that charon logs to; "": its standard output
	Socket string // of vici; "": /var/run/charon.vici

	// Retransmission of unanswered messages; the zero value is fast enough for a lab.
	Retransmission Retransmission
	FragmentSize   int           // 0: charon's, 1280
	KeepAlive      time.Duration // of NAT; 0: charon's, 20 s; negative: none
}

// Retransmission is charon's schedule: a message is sent again after Timeout, then after Timeout × Base and
// so on, Tries times; after one more gap its sender gives up.
type Retransmission struct {
	Timeout time.Duration
	Base    float64
	Tries   int
}

// DefaultRetransmission is charon's own with less patience: it gives up after 15 s and not after 165.
var DefaultRetransmission = Retransmission{Timeout: time.Second, Base: 2, Tries: 3}

// RetransmissionOf is the schedule with these gaps, each of which is a multiple of the one before by
// the same number. The error is of type *peerconf.Unsupported.
func RetransmissionOf(gaps []time.Duration) (Retransmission, error) {
	if len(gaps) == 0 {
		return DefaultRetransmission, nil
	}
	r := Retransmission{Timeout: gaps[0], Base: 1, Tries: len(gaps) - 1}
	if len(gaps) > 1 {
		r.Base = float64(gaps[1]) / float64(gaps[0])
	}
	for i, g := range gaps {
		if want := float64(gaps[0]) * math.Pow(r.Base, float64(i)); math.Abs(want-float64(g)) > float64(time.Millisecond) {
			return r, &peerconf.Unsupported{What: fmt.Sprintf("retransmissions after %v", gaps), Why: "charon multiplies each gap by the same number"}
		}
	}
	return r, nil
}

// DaemonOf is the strongswan.conf of a peer with these settings.
func DaemonOf(s *peerconf.Settings, k Kind) (Daemon, error) {
	r, err := RetransmissionOf(s.Retransmit)
	return Daemon{Kind: k, Retransmission: r, FragmentSize: s.FragmentSize, KeepAlive: s.KeepAlive}, err
}

// plugins are all that a lab's charon needs; what a package does not have is passed over. A list makes it
// ready sooner than all plugins that Debian installs, and leaves out those that disturb a lab: bypass-lan,
// which excepts the local network, dhcp, farp, ha, resolve and unity.
var plugins = []string{
	"random", "nonce", "x509", "revocation", "constraints", "pubkey", "pkcs1", "pkcs7", "pkcs8", "pem", "openssl", "gcrypt", "aes", "des", "md5",
	"sha1", "sha2", "gmp", "ccm", "ctr", "gcm", "kdf", "hmac", "xcbc", "cmac", "kernel-netlink", "socket-default", "vici", "updown", "xauth-generic",
}

// Mark tells charon's own packets from those that it protects itself, which are routed into its TUN device.
const Mark = 0x42

// Tree is strongswan.conf.
func (d Daemon) Tree() *Section {
	root := &Section{}
	c := root.section("charon")
	list := strings.Join(plugins, " ")
	if d.Kind.Userspace() {
		list = strings.Replace(list, "kernel-netlink", "kernel-libipsec kernel-netlink", 1) // the first one that can protects
	}
	c.set("load", "%s", list)
	// Aggressive mode with a preshared key shows a hash at which words can be tried; a lab wants it.
	c.set("i_dont_care_about_security_and_use_aggressive_mode_psk", "yes")
	c.set("install_routes", "yes")
	r := d.Retransmission
	if r == (Retransmission{}) {
		r = DefaultRetransmission
	}
	c.set("retransmit_timeout", "%g", r.Timeout.Seconds())
	c.set("retransmit_base", "%g", r.Base)
	c.set("retransmit_tries", "%d", r.Tries)
	if d.FragmentSize > 0 {
		c.set("fragment_size", "%d", d.FragmentSize)
	}
	switch {
	case d.KeepAlive > 0:
		c.set("keep_alive", "%s", seconds(d.KeepAlive))
	case d.KeepAlive < 0:
		c.set("keep_alive", "0s")
	}
	d.plugins(c.section("plugins"))
	log := c.section("filelog").section("lab")
	path := d.Log
	if path == "" {
		path = "stdout"
	}
	log.set("path", "%s", path)
	log.set("flush_line", "yes")
	log.set("time_format", "%s", "%Y-%m-%dT%H:%M:%S")
	log.set("time_add_ms", "yes")
	log.set("default", "1")
	for _, group := range []string{"ike", "cfg", "knl", "enc"} {
		level := 2
		if group == "enc" {
			level = 1
		}
		log.set(group, "%d", level)
	}
	return root
}

func (d Daemon) plugins(p *Section) {
	if d.Socket != "" {
		p.section("vici").set("socket", "unix://%s", d.Socket)
	}
	if !d.Kind.Userspace() {
		return
	}
	libipsec := p.section("kernel-libipsec")
	libipsec.set("allow_peer_ts", "yes")
	if d.Kind == LibIPsecRaw {
		libipsec.set("raw_esp", "yes")
	}
	p.section("kernel-netlink").set("fwmark", "!0x%x", Mark)
	p.section("socket-default").set("fwmark", "0x%x", Mark)
}

// Text is the file.
func (d Daemon) Text() string { return d.Tree().Text() }

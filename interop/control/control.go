// Package control is the conversation between the lab and the agent that runs
// inside a real peer: a container, a namespace, or a user-mode Linux machine.
//
// It runs over one reliable stream of bytes, whatever carries it: a Unix socket
// or the serial line of a user-mode Linux machine. The stream is a yamux session
// in which the lab opens a stream for each request. A stream begins with one line
// of JSON, the Request; the agent answers with one line, the Answer. After the
// answer to Dial the stream is the connection asked for, in both directions; after
// all others it ends.
//
// The agent serves requests side by side, so that a command that hangs holds
// nothing else up, and forgets a request when its stream is closed.
package control

import (
	"net/netip"
	"time"
)

// Version is the version of the conversation. Lab and agent of different versions
// do not talk: the images are built anew.
const Version = 3

// Request is one thing that the lab wants. Exactly one field is set.
type Request struct {
	Hello  *Hello  `json:"hello,omitempty"`
	Setup  *Setup  `json:"setup,omitempty"`
	Files  []File  `json:"files,omitempty"`
	Read   string  `json:"read,omitempty"` // path of a file whose content is wanted
	Exec   *Exec   `json:"exec,omitempty"`
	Start  *Start  `json:"start,omitempty"`
	Signal *Signal `json:"signal,omitempty"`
	Dial   *Dial   `json:"dial,omitempty"`
	Serve  *Serve  `json:"serve,omitempty"`
	Seen   *Serve  `json:"seen,omitempty"` // what reached an application
	Ping   *Ping   `json:"ping,omitempty"`
	Call   *Call   `json:"call,omitempty"`
	UDP    *UDP    `json:"udp,omitempty"`
	XFRM   *XFRM   `json:"xfrm,omitempty"`
	Died   *Died   `json:"died,omitempty"`
}

// Answer is the agent's. Error is set when the request was not carried out, with
// Kind one of the words below; a command that fails or an echo that stays away is no error.
type Answer struct {
	Error string `json:"error,omitempty"`
	Kind  string `json:"kind,omitempty"`

	Hello  *Welcome `json:"hello,omitempty"`
	Read   []byte   `json:"read,omitempty"`
	Exec   *Exited  `json:"exec,omitempty"`
	Report *Report  `json:"report,omitempty"` // to Ping, Call, UDP
	Seen   *Seen    `json:"seen,omitempty"`
	XFRM   []State  `json:"xfrm,omitempty"`
	Died   []Death  `json:"died,omitempty"`

	LeftOut int64 `json:"left_out,omitempty"` // bytes of the file before those of Read
}

// Kinds of errors.
const (
	BadRequest  = "bad-request"
	Unsupported = "unsupported" // the kernel or the image cannot; Error says what
	Failed      = "failed"
)

// Hello is the first request.
type Hello struct {
	Version int `json:"version"`
}

// Welcome says what the peer is and can.
type Welcome struct {
	Version int    `json:"version"`
	Kernel  string `json:"kernel"` // release, as uname has it
	Clock   bool   `json:"clock"`  // the date can be set without setting the lab machine's
	ESP     bool   `json:"esp"`    // the kernel has ESP, tried by adding an SA
	AH      bool   `json:"ah"`
}

// Setup makes the network.
type Setup struct {
	Hostname   string            `json:"hostname"`
	Date       time.Time         `json:"date,omitzero"` // to set; Welcome.Clock says whether it can be
	Interfaces []Interface       `json:"interfaces"`    // in the order of the wires
	Routes     []Route           `json:"routes,omitempty"`
	Sysctls    map[string]string `json:"sysctls,omitempty"` // by path below /proc/sys, with slashes
}

// Interface is a network interface; it is there already, and called as the driver calls it.
type Interface struct {
	Name     string         `json:"name"` // vec0 of user-mode Linux; of a TAP, as it was made
	MAC      string         `json:"mac"`
	MTU      int            `json:"mtu"`
	Prefixes []netip.Prefix `json:"prefixes"`
}

// Route is a static route.
type Route struct {
	To  netip.Prefix `json:"to"`
	Via netip.Addr   `json:"via"`
}

// File is a file to write, with the folders above it.
type File struct {
	Path string `json:"path"`
	Mode uint32 `json:"mode"`
	Data []byte `json:"data"`
}

// Exec runs a command to its end.
type Exec struct {
	Argv   []string      `json:"argv"`
	Env    []string      `json:"env,omitempty"` // besides PATH and HOME
	Within time.Duration `json:"within"`        // the command and its children are killed then; 0: 10 s
}

// Exited is how a command ended.
type Exited struct {
	Code     int    `json:"code"`               // 128 + the signal's number, of one that a signal ended
	Output   []byte `json:"output"`             // standard output and error in one: the last MiB
	LeftOut  int64  `json:"left_out,omitempty"` // bytes before that
	TimedOut bool   `json:"timed_out,omitempty"`
}

// Start starts a daemon, which goes on.
type Start struct {
	Name string   `json:"name"` // by which Signal knows it
	Argv []string `json:"argv"`
	Env  []string `json:"env,omitempty"`
	Log  string   `json:"log"`            // file that takes its output
	Logs string   `json:"logs,omitempty"` // the one that it writes itself; "": it has none
	// Ready is a Unix socket that it answers on when it is ready; the request waits for that. "": it does not.
	Ready  string        `json:"ready,omitempty"`
	Within time.Duration `json:"within"` // for Ready
}

// Signal sends a signal to a daemon and waits for its end when the signal is to end it.
type Signal struct {
	Name   string        `json:"name"`
	Signal int           `json:"signal"`
	Wait   time.Duration `json:"wait"` // for its end; 0: not at all
}

// Died asks for the daemons that have ended and that no Signal was to end.
type Died struct{}

// Death is how a daemon has ended.
type Death struct {
	Name   string `json:"name"`
	PID    int    `json:"pid"`              // in the peer
	How    string `json:"how"`              // exit status 1; signal 6, aborted
	Killed bool   `json:"killed,omitempty"` // it was SIGKILL or SIGTERM, which come from somebody else
	Output []byte `json:"output"`           // the last of what it has printed, up to 16 KiB
	Log    []byte `json:"log"`              // likewise, of its own log
}

// Dial connects to a socket in the peer.
type Dial struct {
	Network string `json:"network"` // unix, tcp, udp
	Address string `json:"address"`
}

// Serve starts an application of the lab's, like those of virtual hosts: it answers TCP
// requests with as many bytes as they ask for, or echoes datagrams.
type Serve struct {
	Protocol uint8  `json:"protocol"` // of IP: 6, 17, or one without ports
	Port     uint16 `json:"port,omitempty"`
}

// Seen is what reached an application.
type Seen struct {
	Connections int   `json:"connections"`
	Datagrams   int   `json:"datagrams"`
	Bytes       int64 `json:"bytes"`
	Corrupt     int   `json:"corrupt"`
}

// Ping, Call and UDP are as in package hosts.
type Ping struct {
	To       netip.Addr    `json:"to"`
	Count    int           `json:"count"`
	Size     int           `json:"size"`
	TTL      int           `json:"ttl,omitempty"`
	Interval time.Duration `json:"interval"`
	Timeout  time.Duration `json:"timeout"`
}

// Call opens a TCP connection, sends a request and reads the response.
type Call struct {
	To        netip.AddrPort `json:"to"`
	LocalPort uint16         `json:"local_port,omitempty"`
	Request   int64          `json:"request"`
	Response  int64          `json:"response"`
	Timeout   time.Duration  `json:"timeout"`
	DSCP      uint8          `json:"dscp,omitempty"`
}

// UDP sends datagrams and waits for their echoes.
type UDP struct {
	To        netip.AddrPort `json:"to"`
	LocalPort uint16         `json:"local_port,omitempty"`
	Count     int            `json:"count"`
	Size      int            `json:"size"`
	Grow      int            `json:"grow,omitempty"`
	InFlight  int            `json:"in_flight,omitempty"`
	Interval  time.Duration  `json:"interval"`
	Timeout   time.Duration  `json:"timeout"`
	DSCP      uint8          `json:"dscp,omitempty"`
}

// Report is how traffic fared.
type Report struct {
	Sent     int             `json:"sent"`
	Received int             `json:"received"`
	Latency  []time.Duration `json:"latency,omitempty"`
	Silence  time.Duration   `json:"silence,omitempty"`
	Result   string          `json:"result"` // ok, timeout, refused, unreachable, error
	Error    string          `json:"error,omitempty"`
}

// XFRM asks for the SAs of the kernel.
type XFRM struct{}

// State is an SA of the kernel, with its keys.
type State struct {
	Src      netip.Addr `json:"src"`
	Dst      netip.Addr `json:"dst"`
	Protocol uint8      `json:"protocol"` // 50, 51, 108
	SPI      uint32     `json:"spi"`
	Mode     string     `json:"mode"` // transport, tunnel
	ReqID    int        `json:"reqid"`
	ESN      bool       `json:"esn,omitempty"`

	Cipher    string `json:"cipher,omitempty"` // as the kernel calls it: cbc(aes), rfc4106(gcm(aes)) …
	CipherKey []byte `json:"cipher_key,omitempty"`
	Auth      string `json:"auth,omitempty"` // hmac(sha1) …
	AuthKey   []byte `json:"auth_key,omitempty"`
	ICVBits   int    `json:"icv_bits,omitempty"`

	EncapSrc uint16 `json:"encap_src,omitempty"` // UDP ports, of ESP in UDP
	EncapDst uint16 `json:"encap_dst,omitempty"`

	Packets uint64 `json:"packets"`
	Bytes   uint64 `json:"bytes"`
	Seconds uint64 `json:"seconds,omitempty"` // hard lifetime; 0: none
}

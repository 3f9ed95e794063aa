// Command ipseclab runs IPsec scenarios in a simulated network and shows what
// happened: verdicts, captures that Wireshark opens and decrypts, reports.
//
//	ipseclab run                     every scenario of the built-in catalogue
//	ipseclab run my.yaml             a file of your own
//	ipseclab list                    what the catalogue shows
//	ipseclab validate my.yaml        mistakes in a file, without running it
//	ipseclab explain my.yaml …       which filter decides about a packet, and why
//	ipseclab lint my.yaml            what a reviewer would say of the policies
//	ipseclab policy import web.cmd   what a scenario needs for policies of netsh
//	ipseclab policy export my.yaml … a policy as a script of netsh
//	ipseclab attach my.yaml …        an outside program on a segment, by the wall clock
//	ipseclab interop run             cases between the lab and real daemons
//	ipseclab schema                  the JSON Schema of scenario files
//	ipseclab version                 what this is
//
// # What prints where
//
// Results go to standard output: the line of each scenario and the summary, or
// with --format json one JSON document. Mistakes and the progress line, which
// only a terminal gets, go to standard error. With the command of attach all goes there:
// standard output is the command's.
//
// # Exit codes
//
//	  0  all passed, or is unsupported
//	  1  an expectation or the wire oracle failed; lint found an error; an accepted failure of the
//	     interop matrix passes, or a cell fails that passed in the run that it is held against
//	  2  the command line, a scenario file or the results folder is wrong; nothing was run;
//	     policy import: a line was refused, or the format cannot express a policy
//	  3  the lab broke; there is no driver for real peers
//	130  interrupted; what had finished is kept
//
// attach ends with the exit code of the outside command if that is not 0.
package main

// This file lets tcprun.go declare a function without a body.

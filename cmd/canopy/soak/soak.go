// Package soak holds a whole federation under load while what it stands on
// dies and comes back: real servers are killed and started again, front ends
// and Redis too, and the configuration is replaced over and over.
//
// # Reading
//
// The claim is that clients notice nothing as long as each file has a live
// replica. Their side of the bargain is that of any grid client: whoever is
// sent to a replica that has just died takes the next one that the redirect
// names, and asks again, once, if all of them have.
//
// # Writing
//
// The claim is that nothing that was acknowledged is lost, nothing comes back
// that was acknowledged to be deleted, nothing has two contents under one name,
// and nothing is there in part. Clients of two front ends, each a process of
// its own, put, delete and move their own files and those of all. In the end
// the disks of the endpoints are read, and what is there is held against all
// that was asked and answered (package history). The same goes for uploads
// through a front end that is killed in their midst.
//
// What is asked and who dies comes from -seed; when, from the machine. So a
// seed that has failed mostly fails again, and its paths are printed with all
// that happened to them.
//
// Short forms are ordinary tests; `make soak` (build tag soak) goes on for
// longer than a test should.
package soak

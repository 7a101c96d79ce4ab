package service

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"log/slog"
	"reflect"
	"time"

	"canopy/configs"
	"canopy/federator"
	"canopy/federator/choice"
	"canopy/federator/copies"
	"canopy/federator/geo"
	"canopy/federator/place"
	"canopy/federator/record"
	"canopy/federator/write"
	"canopy/plugins"
	"canopy/plugins/limit"
)

// settings are what the configuration says of the federation as a whole.
func settings(c *configs.Config, atlas *geo.Atlas) federator.Settings {
	s := federator.Settings{
		Deadline: c.Lookup.Deadline, Grace: c.Lookup.Grace, DoubtFor: c.Lookup.Doubt,
		EntryTTL: c.Cache.TTL.Entry, ListingTTL: c.Cache.TTL.Listing, AbsentTTL: c.Cache.TTL.Absent, Stale: c.Cache.Stale,
		Choice: choice.Settings{Fuzz: float64(c.Geo.Fuzz) / 1000},
		Atlas:  atlas,
	}
	switch c.Lookup.Unknown {
	case configs.Unavailable:
		s.Unknown = federator.AlwaysUnavailable
	case configs.Absent:
		s.Unknown = federator.AlwaysAbsent
	}
	for _, name := range c.Select {
		s.Select = append(s.Select, string(name))
	}
	return s
}

// mostRemoved bounds how many paths one request can delete or copy.
const mostRemoved = 1_000_000

// writes are what the configuration says of uploads.
func writes(c *configs.Config) write.Settings {
	policy, _ := place.ByName(string(c.Uploads.Place)) // the configuration knows the names
	return write.Settings{Policy: policy, MakeParents: c.MakeParents, Cleanup: c.Uploads.Cleanup, Most: mostRemoved}
}

// wishes are how many copies of files there are to be.
func wishes(c *configs.Config) []copies.Rule {
	rules := make([]copies.Rule, len(c.Uploads.Copies))
	for i, r := range c.Uploads.Copies {
		rules[i] = copies.Rule{Path: r.Path, Copies: r.Copies}
	}
	return rules
}

// atlas is where clients and endpoints are, according to the configuration.
func atlas(c *configs.Config) (*geo.Atlas, error) {
	sites := make([]geo.Site, len(c.Geo.Sites))
	for i, s := range c.Geo.Sites {
		sites[i] = geo.Site{Name: s.Name, Networks: s.Networks}
		if s.Location != nil {
			sites[i].Point, sites[i].Placed = geo.Point{Lat: s.Location[0], Lon: s.Location[1]}, true
		}
	}
	return geo.New(sites, c.Geo.Database)
}

// configured is an endpoint's section, and the fingerprint under which it is
// open.
type configured struct {
	*configs.Endpoint
	fingerprint string
}

// endpoints are the storages of the configuration, ready to be opened, with
// their limits around them.
//
// An endpoint that has not changed since before keeps its fingerprint, and so
// its connections.
func endpoints(c *configs.Config, before map[string]configured, log *slog.Logger) ([]federator.Endpoint, map[string]configured, error) {
	all := make([]federator.Endpoint, len(c.Endpoints))
	now := make(map[string]configured, len(c.Endpoints))
	for i := range c.Endpoints {
		e := &c.Endpoints[i]
		names, err := e.Translation()
		if err != nil {
			return nil, nil, fmt.Errorf("endpoint %s: %w", e.Name, err)
		}
		is := configured{e, rand.Text()}
		if was, ok := before[e.Name]; ok && reflect.DeepEqual(was.Endpoint, e) {
			is = was
		}
		now[e.Name] = is
		all[i] = federator.Endpoint{
			Name: e.Name, Type: e.Type, Mount: e.Mount, Names: names,
			ID: recordID(e.Identity), Fingerprint: is.fingerprint,
			Read: e.Read, List: e.List, Write: e.Write, Site: e.Site, Weight: e.Weight, Tier: e.Tier, Draining: e.Draining,
			Access:     delivery(e.Access),
			ProbeEvery: e.Health.Every, ProbeTimeout: probeTimeout(e), ProbePath: e.Health.Path,
			Open: func(ctx context.Context) (plugins.Endpoint, error) {
				storage, err := e.Config.Open(ctx, plugins.Env{
					Name: e.Name, Log: log.With("endpoint", e.Name), Timeout: e.Limits.Timeout,
				})
				if err != nil {
					return nil, err
				}
				return limit.New(storage, limits(e)), nil
			},
		}
	}
	return all, now, nil
}

func limits(e *configs.Endpoint) limit.Config {
	l := limit.Config{Requests: e.Limits.Requests, Queue: e.Limits.Queue, Timeout: e.Limits.Timeout}
	if l.Queue == 0 {
		l.Queue = -1 // configured as none
	}
	return l
}

// probeTimeout is the endpoint's own, or the time between probes where there
// is none.
func probeTimeout(e *configs.Endpoint) time.Duration {
	if e.Limits.Timeout > 0 {
		return e.Limits.Timeout
	}
	return e.Health.Every
}

func delivery(d configs.Delivery) federator.Access {
	switch d {
	case configs.Redirect:
		return federator.Redirect
	case configs.Proxy:
		return federator.Proxy
	}
	return federator.Auto
}

// recordID turns the identity of a configured endpoint into the number that
// records carry.
func recordID(s string) record.ID {
	h := sha256.Sum256([]byte(s))
	return record.ID(binary.LittleEndian.Uint64(h[:]))
}

package node

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"ago/clock"
	"ago/codec/ans104"
	"ago/commitment"
	"ago/fault"
	"ago/gateway"
	"ago/message"
	"ago/node/legacy"
	"ago/process"
	"ago/schedule"
	"ago/slotlog"
	"ago/store"
)

// SchedulerConfig says what a scheduler alone stands on.
type SchedulerConfig struct {
	UnitConfig
	Gateways  []string // for blocks, and for messages that are assigned by their id
	Bundler   string   // gets what is scheduled; "" uploads nothing
	Uploads   UploadOptions
	PublicURL string // where clients reach it, as its Scheduler-Location says; "" is its own address
	GraphQL   string // whole address; "" is /graphql of the gateways
	PageBytes int    // after which a page of a log ends; 0: 64 MB
	CacheMax  int    // definitions of processes in memory; 0: the default of schedule
	Door      Door

	Redirects   bool          // send clients of processes that are not here to the scheduler that the process names
	Router      string        // asked whether a new process is this scheduler's; "" is nobody
	Assignment  string        // N if this scheduler's address at the router is https://suN.…; "": it is PublicURL
	LocationTTL time.Duration // how long clients may keep where it answers; 0: an hour
}

// SchedulerUnit is a running scheduler without the other units.
type SchedulerUnit struct {
	unit
	gateway   *gateway.Gateway
	scheduler *schedule.Scheduler
	tip       *chainTip
	uploads   *uploads
}

// StartScheduler makes and starts a scheduler. It evaluates nothing and pushes nothing: compute units read its logs, and
// messengers bring it messages.
func StartScheduler(ctx context.Context, c SchedulerConfig) (*SchedulerUnit, error) {
	if len(c.Gateways) == 0 {
		return nil, fault.New(fault.Malformed, "gateway-missing", "a scheduler needs a gateway to know the newest block").
			WithHint("name it with --gateway-url")
	}
	s := &SchedulerUnit{}
	if err := s.start(ctx, c); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *SchedulerUnit) start(ctx context.Context, c SchedulerConfig) error {
	if err := s.open(ctx, c.UnitConfig); err != nil {
		return err
	}
	var err error
	if s.tip, err = openTip(ctx, c.Gateways, s.store, s.c.Log); err != nil {
		return err
	}
	kept := items{s.log, s.where}
	// The gateway is not for others: it finds what is assigned by id, and keeps it after it was verified.
	s.gateway, err = gateway.Open(gateway.Config{
		Store: s.store, Blobs: s.blobs, Items: kept, Clock: clock.System{}, Key: s.c.Key, Upstream: c.Gateways, UpstreamGraphQL: c.GraphQL, Closed: true,
		Verify: s.verifier.Verify, Log: s.c.Log,
	})
	if err != nil {
		return err
	}
	var index schedule.Index = s.gateway
	if c.Bundler != "" {
		s.uploads = newUploads(s.store, s.gateway, kept.Item, c.Bundler, clock.System{}, s.c.Log).options(c.Uploads, s.c.Key)
		index = s.uploads
	}
	s.scheduler, err = schedule.Open(schedule.Config{
		Log: s.log, Store: s.store, Key: s.c.Key, Clock: clock.System{}, Blocks: s.tip, Index: index,
		Archive: chainArchive{archive{s.gateway}, s.tip}, CacheMax: c.CacheMax, Logger: s.c.Log,
	})
	if err != nil {
		return err
	}
	s.parts = append(s.parts, func() error { s.scheduler.Close(); return nil })
	door := newDoor(s.background, &s.wg, c.Door, clock.System{}, s.c.Log, s.owner)
	crowd := newCrowd(clock.System{}, crowdShare, s.pace)
	admit := legacy.Admit(door.admit)
	if c.Router != "" {
		admit = s.routed(c, door.admit)
	}
	face := &legacy.SU{
		Turn: crowd.turn(func(ctx context.Context, id message.ID) bool {
			_, err := s.scheduler.Process(ctx, id)
			return err == nil
		}),
		Scheduler: s.scheduler, Verifier: s.verifier, Clock: clock.System{}, Height: s.tip.height, Address: s.Address(),
		Admit: admit, PageBytes: c.PageBytes, HandedOver: s.handedOver(strings.TrimRight(c.PublicURL, "/")),
	}
	if c.Redirects {
		face.Elsewhere = newNeighbours(c.Gateways, c.GraphQL, c.PublicURL, s.c.Key, clock.System{}).find
	}
	s.condition = func() (reasons, notes []string) { return door.reasons(), append(s.tip.notes(), s.uploads.notes()...) }
	if s.url, err = s.listen("su", s.c.Port, face.Handler()); err != nil {
		return err
	}
	if err := s.announce(ctx, c); err != nil {
		return err
	}
	s.wg.Go(func() { s.tip.run(s.background) })
	if s.uploads != nil {
		s.scheduler.OnAppend(func(message.ID, slotlog.Slot) { s.uploads.hurry() })
		s.wg.Go(func() { s.uploads.run(s.background) })
		s.uploads.observe(s.metrics)
	}
	s.metrics.gauge("ao_su_door_waiting", "Messages that wait at the door for others of their process.", func() float64 { return float64(crowd.waiting()) })
	s.metrics.gauge("ao_su_cached_processes", "Definitions of processes in memory.", func() float64 { return float64(s.scheduler.Cached()) })
	s.metrics.gauge("ao_su_height_blocks", "Height that slots are stamped with.", func() float64 { return float64(s.tip.height()) })
	s.serve()
	return nil
}

func (s *SchedulerUnit) where(ctx context.Context, id message.ID) ([]schedule.Place, error) {
	return s.scheduler.Where(ctx, id)
}

// handedOver tells where clients of a process are sent. An operator who names this scheduler itself sends nobody in circles.
func (s *SchedulerUnit) handedOver(public string) func(message.ID) string {
	return func(p message.ID) string {
		if to := s.scheduler.HandedOver(p).To; to != cmp.Or(public, s.url) {
			return to
		}
		return ""
	}
}

// owner is who signed the process, if it is scheduled here.
func (s *SchedulerUnit) owner(ctx context.Context, id message.ID) (string, error) {
	d, err := s.scheduler.Process(ctx, id)
	return d.Owner, err
}

func (s *SchedulerUnit) announce(ctx context.Context, c SchedulerConfig) error {
	if s.uploads == nil {
		return nil
	}
	url := cmp.Or(c.PublicURL, s.url)
	it, err := schedulerLocation(s.c.Key, url, c.LocationTTL, clock.System{})
	if err != nil {
		return err
	}
	return announce(ctx, s.uploads, s.log, it, placeText(url, c.LocationTTL))
}

// rowPlace is the second byte of the row that tells which place was announced last -> key of the upload, place.
const rowPlace byte = 'l'

// announce uploads where the scheduler answers: clients find it by the address that processes name. A place that was
// announced before is not announced again, and one that could not be uploaded yet never is when there is a newer one.
func announce(ctx context.Context, u *uploads, log itemLog, it *ans104.Item, place string) error {
	var b store.Batch
	row := []byte{store.TableNode, rowPlace}
	old, err := u.store.Get(row)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	if keySize := len(uploadKey(0, message.ID{})); len(old) >= keySize {
		if string(old[keySize:]) == place {
			return nil
		}
		b.Delete(old[:keySize])
	}
	if err := log.PutItem(ctx, &b, it.ID(), it.Raw); err != nil {
		return err
	}
	b.Set(row, append(u.plan(&b, it.ID()), place...))
	return u.store.Apply(&b, true)
}

// placeText is what is remembered of an announcement: the address alone if it counts for the usual time.
func placeText(url string, ttl time.Duration) string {
	if ttl == 0 || ttl == locationTTL {
		return url
	}
	return url + " " + ttl.String()
}

// chainArchive is an archive whose blocks are those of the chain, not of the gateway it stands on.
type chainArchive struct {
	archive
	tip *chainTip
}

// Confirmations counts the blocks from the transaction's own to the newest.
func (a chainArchive) Confirmations(ctx context.Context, id message.ID) (int, error) {
	rec, err := a.g.Record(ctx, id)
	if err != nil || rec.Block == nil {
		return 0, err
	}
	if top := a.tip.height(); top >= rec.Block.Height {
		return int(top-rec.Block.Height) + 1, nil
	}
	return 0, nil
}

// schedulerLocation makes the item that tells where a scheduler answers.
func schedulerLocation(key *commitment.Key, url string, ttl time.Duration, c clock.Clock) (*ans104.Item, error) {
	return ans104.Sign(ans104.Draft{
		Anchor: fmt.Appendf(nil, "%032d", c.Now().UnixMilli()), // a restart at another address is another item
		Tags: []Tag{
			{Name: "Data-Protocol", Value: "ao"}, {Name: "Variant", Value: process.VariantLegacy}, {Name: "Type", Value: "Scheduler-Location"},
			{Name: "Url", Value: url}, {Name: "Time-To-Live", Value: strconv.FormatInt(cmp.Or(ttl, locationTTL).Milliseconds(), 10)},
		},
		Data: []byte(" "),
	}, key)
}

-- Who owns which share of the processes. Epochs only grow.
create table ago_partitions (
  partition int primary key,
  epoch     bigint not null default 0
);
insert into ago_partitions (partition) select generate_series(0, 4095);

-- What the next slot of a process is built on.
create table ago_heads (
  process    bytea primary key,
  next       bigint not null,
  time       bigint not null,
  chain      bytea not null,
  assignment bytea not null,
  hashpath   bytea not null,
  epoch      bigint not null  -- of the last append
) with (fillfactor = 70);

-- The order of messages. The bytes of a message are in ago_rows, under 'M' and its id.
create table ago_slots (
  process      bytea not null,
  slot         bigint not null,
  message      bytea not null,
  time         bigint not null,
  block_height bigint not null,
  block_hash   bytea not null,
  block_time   bigint not null,
  chain        bytea not null,
  hashpath     bytea not null,
  form         smallint not null,
  by_id        boolean not null,
  has_item     boolean not null,
  dedup        bytea,
  exclude      bytea,
  assignment   bytea,
  primary key (process, slot)
) with (toast_tuple_target = 8160);
alter table ago_slots alter column assignment set storage external;

-- Message ids and dedup keys: each has one slot in a process.
create table ago_keys (
  process bytea not null,
  key     bytea not null,
  slot    bigint not null,
  primary key (process, key)
);

-- ago_acquire gives the next epoch of a partition. It waits for appends under way.
create function ago_acquire(p_partition int) returns bigint language plpgsql as $$
declare
  e bigint;
begin
  perform pg_advisory_xact_lock(1095192401, p_partition);
  update ago_partitions p set epoch = p.epoch + 1 where p.partition = p_partition returning p.epoch into e;
  return e;
end $$;

-- ago_append stores blocks, and a batch beside them (the arguments of ago_change), or refuses all and changes nothing.
--
-- Verdicts: 0 stored, or there already; 1 the epoch is not that of the partition; 2 a slot has another entry; 3 the block does
-- not follow the last slot; 4 a message or key has a slot; 5 the space of the batch has another owner.
--
-- Partitions are shared and processes are taken by advisory locks in the order they come in, which has to be ascending: so
-- nobody waits in a circle, and a process has one append at a time, also while it has no row yet.
create function ago_append(
  p_partitions int[], p_locks bigint[],
  b_process bytea[], b_partition int[], b_epoch bigint[], b_first bigint[], b_repeated bigint[],
  b_next bigint[], b_time bigint[], b_chain bytea[], b_assignment bytea[], b_hashpath bytea[],
  e_block int[], e_slot bigint[], e_message bytea[], e_time bigint[], e_height bigint[], e_hash bytea[], e_block_time bigint[],
  e_chain bytea[], e_hashpath bytea[], e_form smallint[], e_by_id boolean[], e_has_item boolean[], e_dedup bytea[],
  e_exclude bytea[], e_assignment bytea[],
  k_block int[], k_key bytea[], k_slot bigint[],
  i_block int[], i_key bytea[], i_value bytea[],
  p_space int, p_space_epoch bigint,
  p_range_space int[], p_lower bytea[], p_upper bytea[], p_gone_space int[], p_gone bytea[],
  p_set_space int[], p_key bytea[], p_value bytea[],
  out verdict int, out block int, out slot bigint
) language plpgsql as $$
declare
  fresh int[] := '{}';
  n bigint;
begin
  perform pg_advisory_xact_lock_shared(1095192401, l) from unnest(p_partitions) l;
  perform pg_advisory_xact_lock(l) from unnest(p_locks) l;
  for i in 1 .. coalesce(cardinality(b_process), 0) loop
    block := i;
    slot := b_first[i];
    if not exists (select 1 from ago_partitions p where p.partition = b_partition[i] and p.epoch = b_epoch[i]) then
      verdict := 1;
      return;
    end if;
    n := coalesce((select h.next from ago_heads h where h.process = b_process[i]), 0);
    if b_first[i] > n then
      verdict := 3;
      return;
    elsif b_first[i] < n then
      select min(e.s) into slot
        from unnest(e_block, e_slot, e_message, e_time, e_chain, e_hashpath, e_assignment)
          as e(b, s, message, time, chain, hashpath, assignment)
        where e.b = i and not exists (select 1 from ago_slots o where o.process = b_process[i] and o.slot = e.s
          and o.message = e.message and o.time = e.time and o.chain = e.chain and o.hashpath = e.hashpath
          and (o.assignment is null or e.assignment is null or o.assignment = e.assignment));
      if slot is not null then
        verdict := 2;
        return;
      end if;
    else
      select least(b_repeated[i], min(k.s)) into slot from unnest(k_block, k_key, k_slot) as k(b, key, s)
        where k.b = i and (select true from ago_keys o where o.process = b_process[i] and o.key = k.key);
      if slot is not null then
        verdict := 4;
        return;
      end if;
      fresh := fresh || i;
    end if;
  end loop;
  verdict := 0;
  if cardinality(fresh) = 0 and cardinality(b_process) > 0 then
    return;
  end if;
  if not ago_change(p_space, p_space_epoch, p_range_space, p_lower, p_upper, p_gone_space, p_gone, p_set_space, p_key, p_value) then
    verdict := 5;
    return;
  end if;
  insert into ago_slots (process, slot, message, time, block_height, block_hash, block_time, chain, hashpath, form, by_id,
      has_item, dedup, exclude, assignment)
    select b_process[e.b], e.s, e.message, e.time, e.height, e.hash, e.block_time, e.chain, e.hashpath, e.form, e.by_id,
      e.has_item, e.dedup, e.exclude, e.assignment
    from unnest(e_block, e_slot, e_message, e_time, e_height, e_hash, e_block_time, e_chain, e_hashpath, e_form, e_by_id,
        e_has_item, e_dedup, e_exclude, e_assignment)
      as e(b, s, message, time, height, hash, block_time, chain, hashpath, form, by_id, has_item, dedup, exclude, assignment)
    where e.b = any(fresh);
  insert into ago_keys (process, key, slot)
    select b_process[k.b], k.key, k.s from unnest(k_block, k_key, k_slot) as k(b, key, s) where k.b = any(fresh);
  insert into ago_heads as h (process, next, time, chain, assignment, hashpath, epoch)
    select b_process[b], b_next[b], b_time[b], b_chain[b], b_assignment[b], b_hashpath[b], b_epoch[b] from unnest(fresh) b
    on conflict (process) do update set next = excluded.next, time = excluded.time, chain = excluded.chain,
      assignment = excluded.assignment, hashpath = excluded.hashpath, epoch = excluded.epoch;
  insert into ago_rows (space, key, value)
    select 0, i.key, i.value from unnest(i_block, i_key, i_value) as i(b, key, value) where i.b = any(fresh) order by i.key
    on conflict (space, key) do nothing;
end $$;
